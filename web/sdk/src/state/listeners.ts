/** Who wants to be told of something. */
export class Listeners<Args extends unknown[] = []> {
  private readonly all = new Set<(...args: Args) => void>();

  /** Returns how to stop. */
  add(listener: (...args: Args) => void): () => void {
    this.all.add(listener);
    return () => void this.all.delete(listener);
  }

  /** A listener that throws keeps nobody else from being told; its error is reported as one that nobody caught. */
  tell(...args: Args): void {
    for (const listener of [...this.all]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

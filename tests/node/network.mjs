// The network between one client and the server: it can be cut, and it can lose what goes one way.
import { connect, createServer } from "node:net";

export class Network {
  #pairs = new Set();
  #listener;
  /** What is lost without a word: `up` from the client, `down` from the server. */
  loses = { up: false, down: false };
  /** Nobody gets through at all. */
  isDown = false;

  static async to(port) {
    const network = new Network();
    network.#listener = createServer((near) => network.#carry(near, port));
    await new Promise((ready) => network.#listener.listen(0, "127.0.0.1", ready));
    network.url = `ws://127.0.0.1:${network.#listener.address().port}`;
    return network;
  }

  /** Every connection breaks; what is on its way does not arrive. */
  cut() {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  /** Nothing gets through until `comesBack`. */
  goesAway() {
    this.isDown = true;
    this.cut();
  }

  comesBack() {
    this.isDown = false;
    this.loses = { up: false, down: false };
  }

  close() {
    this.cut();
    return new Promise((closed) => this.#listener.close(closed));
  }

  #carry(near, port) {
    if (this.isDown) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(port, "127.0.0.1");
    const pair = [near, far];
    this.#pairs.add(pair);
    near.on("data", (bytes) => this.loses.up || far.write(bytes));
    far.on("data", (bytes) => this.loses.down || near.write(bytes));
    for (const socket of pair) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        near.destroy();
        far.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}

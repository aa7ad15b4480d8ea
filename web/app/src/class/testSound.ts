/** Two soft notes on the chosen speaker, to hear whether sound arrives. */
const notesHz = [523, 659];
const noteSeconds = 0.25;

export async function playTestSound(speakerId: string | null): Promise<void> {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const gain = context.createGain();
  gain.gain.value = 0.2;
  gain.connect(out);
  const player = new Audio();
  player.srcObject = out.stream;
  // Not every browser lets a page choose the speaker.
  if (speakerId !== null && "setSinkId" in player) await player.setSinkId(speakerId).catch(() => undefined);
  await player.play();
  notesHz.forEach((frequency, index) => {
    const note = context.createOscillator();
    note.frequency.value = frequency;
    note.connect(gain);
    note.start(context.currentTime + index * noteSeconds);
    note.stop(context.currentTime + (index + 1) * noteSeconds);
  });
  await new Promise((resolve) => setTimeout(resolve, (notesHz.length * noteSeconds + 0.2) * 1_000));
  player.srcObject = null;
  await context.close();
}

/**
 * Who sits where. People keep their seat; only when somebody speaks who is not in sight does that person change
 * places with the one in sight who has been quiet the longest. Nothing moves under anybody's pointer otherwise.
 */
import type { Person } from "@lyceum/sdk";

type Seated = Pick<Person, "identity" | "speaking" | "lastSpokeAtMs">;

/** The identities in their new order, given the order before and how many seats are in sight. */
export function arrange(
  before: readonly string[],
  people: readonly Seated[],
  inSight: number,
): readonly string[] {
  const present = new Map(people.map((person) => [person.identity, person]));
  const stayed = before.filter((identity) => present.has(identity));
  const seated = new Set(stayed);
  const order = [
    ...stayed,
    ...people.map((person) => person.identity).filter((identity) => !seated.has(identity)),
  ];

  for (let seat = inSight; seat < order.length; seat += 1) {
    const speaker = order[seat];
    if (speaker === undefined || present.get(speaker)?.speaking !== true) continue;
    const quietest = quietestSeat(order.slice(0, inSight), present);
    if (quietest === null) break;
    order[seat] = order[quietest] ?? speaker;
    order[quietest] = speaker;
  }

  const unchanged =
    order.length === before.length && order.every((identity, seat) => identity === before[seat]);
  return unchanged ? before : order;
}

/** Of equally quiet ones the last seat gives way, so that the front row stays calm. `null` if all are speaking. */
function quietestSeat(inSight: readonly string[], people: ReadonlyMap<string, Seated>): number | null {
  let best: number | null = null;
  let bestSpokeAtMs = Infinity;
  for (const [seat, identity] of inSight.entries()) {
    const person = people.get(identity);
    if (person === undefined || person.speaking) continue;
    if (person.lastSpokeAtMs <= bestSpokeAtMs) {
      best = seat;
      bestSpokeAtMs = person.lastSpokeAtMs;
    }
  }
  return best;
}

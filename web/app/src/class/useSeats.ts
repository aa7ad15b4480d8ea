/** Keeps the order of seats from one rendering to the next. */
import type { Person } from "@lyceum/sdk";
import { useState } from "react";
import { arrange } from "./seats";

export function useSeats(people: readonly Person[], inSight: number): readonly Person[] {
  const [order, setOrder] = useState<readonly string[]>([]);
  const arranged = arrange(order, people, inSight);
  if (arranged !== order) setOrder(arranged);
  const byIdentity = new Map(people.map((person) => [person.identity, person]));
  return arranged.flatMap((identity) => byIdentity.get(identity) ?? []);
}

/** The words and marks the page uses for people: roles, initials, a hue to know somebody by. */
import type { Person, Role } from "@lyceum/sdk";

const roleWords: Record<Role, string> = {
  instructor: "Teacher",
  co_instructor: "Co-teacher",
  teaching_assistant: "Assistant",
  learner: "Learner",
  observer: "Observer",
};

export function roleWord(role: Role | null): string {
  return role === null ? "" : roleWords[role];
}

/** Said beside a name only where it tells something: most people are learners. */
export function notableRole(role: Role | null): string {
  return role === "learner" ? "" : roleWord(role);
}

export function initial(name: string): string {
  const [first] = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(name.trim());
  return (first?.segment ?? "?").toLocaleUpperCase();
}

/** One of six hues, the same for the same person in every tab. */
export function hueClass(identity: string): string {
  let sum = 0;
  for (const char of identity) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 65_521;
  return `hue-${(sum % 6) + 1}`;
}

/** What a screen reader says of a tile. */
export function describePerson(person: Person): string {
  return [
    person.name,
    notableRole(person.role),
    person.presence === "reconnecting" ? "reconnecting" : "",
    person.speaking ? "speaking" : "",
    person.microphone === "on" ? "" : "muted",
    person.cameraOn ? "" : "camera off",
    person.network === "weak" || person.network === "lost" ? "slow network" : "",
  ]
    .filter((part) => part !== "")
    .join(", ");
}

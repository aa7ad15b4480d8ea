/** The words and marks the page uses for people: roles, initials, a hue to know somebody by. */
import type { Class, Person } from "@lyceum/sdk";

type Role = Class.Role;

const roleWords: Record<Role, string> = {
  instructor: "Teacher",
  co_instructor: "Co-teacher",
  teaching_assistant: "Assistant",
  learner: "Learner",
  observer: "Observer",
  captioner: "Captioner",
  agent: "Agent",
  support: "Support",
};

/** What a hand is up for. */
export const intentWords: Record<Class.HandIntent, string> = {
  question: "a question",
  answer: "an answer",
  help: "needs help",
  tech: "sound or picture",
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

/** What a Space is called: the main room, or the title of a table. */
export function spaceTitle(space: string, groups: Readonly<Record<string, Class.Group>> | undefined): string {
  if (space === "main") return "main room";
  const title = groups?.[space]?.title ?? "";
  return title === "" ? space : title;
}

export function ordinal(place: number): string {
  const last = place % 100;
  if (last >= 11 && last <= 13) return `${place}th`;
  return `${place}${["th", "st", "nd", "rd"][place % 10] ?? "th"}`;
}

/** How long somebody waits, in a word: seconds at first, then minutes. */
export function waitWords(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}

/** What is left of a time, as a clock shows it. */
export function clockWords(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const minutes = Math.floor(seconds / 60);
  const two = (n: number) => String(n).padStart(2, "0");
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** The time of day, as evidence of when something happened. */
export function timeOfDay(ms: number): string {
  return new Date(ms).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}

/** A statement as a person reads it. What comes from a record store was written by programs of strangers: nothing in it is taken for granted. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = Record<string, Json>;

const READS = typeof navigator === "undefined" ? [] : navigator.languages;

/** One line of the list, and of its details. */
export interface Reading {
  id: string;
  /** When it happened, and when the store took it, both ISO 8601. */
  timestamp: string;
  stored: string;
  person: string;
  /** The person as the store asks for them, if it is one that can be asked for. */
  agent: JsonObject | null;
  verb: string;
  verbId: string;
  activity: string;
  /** Empty if it is about something else than an activity. */
  activityId: string;
  result: string;
  /** What else it says, as name and value. */
  facts: [string, string][];
  raw: JsonObject;
}

export function read(statement: Json): Reading {
  const raw = object(statement);
  const actor = object(raw.actor);
  const verb = object(raw.verb);
  const target = object(raw.object);
  const isActivity = text(target.objectType) === "" || text(target.objectType) === "Activity";
  return {
    id: text(raw.id),
    timestamp: text(raw.timestamp),
    stored: text(raw.stored),
    person: nameOf(actor),
    agent: identity(actor),
    verb: inWords(verb.display) || lastPart(text(verb.id)),
    verbId: text(verb.id),
    activity: describe(target),
    activityId: isActivity ? text(target.id) : "",
    result: resultOf(object(raw.result)),
    facts: factsOf(raw),
    raw,
  };
}

/** What people are called: their name, or what identifies them. */
export function nameOf(agent: JsonObject): string {
  const account = object(agent.account);
  const members = list(agent.member).map((member) => nameOf(object(member)));
  const known = [
    text(agent.name),
    text(account.name),
    text(agent.mbox).replace(/^mailto:/, ""),
    text(agent.openid),
    text(agent.mbox_sha1sum).slice(0, 12),
    members.join(", "),
  ];
  return known.find((name) => name !== "") ?? "Somebody";
}

/** What identifies somebody, alone, as a filter. */
export function identity(agent: JsonObject): JsonObject | null {
  for (const name of ["account", "mbox", "openid", "mbox_sha1sum"]) {
    const value = agent[name];
    if (value !== undefined && value !== null) {
      const type = text(agent.objectType) === "Group" ? "Group" : "Agent";
      return { objectType: type, [name]: value };
    }
  }
  return null;
}

/** A text of a language map: in the reader's language, in English, or in whichever there is. */
export function inWords(map: Json | undefined, languages: readonly string[] = READS): string {
  const words = object(map);
  const tags = Object.keys(words);
  for (const wanted of [...languages, "en"]) {
    const base = wanted.split("-")[0] ?? wanted;
    const tag =
      tags.find((known) => known.toLowerCase() === wanted.toLowerCase()) ??
      tags.find((known) => known.split("-")[0]?.toLowerCase() === base.toLowerCase());
    if (tag !== undefined && text(words[tag]) !== "") return text(words[tag]);
  }
  return tags.map((tag) => text(words[tag])).find((word) => word !== "") ?? "";
}

/** The last part of an address that says something. */
export function lastPart(address: string): string {
  const parts = address.split(/[/#]/).filter((part) => part !== "");
  const last = parts.at(-1) ?? address;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

function describe(target: JsonObject): string {
  switch (text(target.objectType)) {
    case "Agent":
    case "Group":
      return nameOf(target);
    case "StatementRef":
      return `statement ${text(target.id).slice(0, 8)}`;
    case "SubStatement": {
      const verb = object(target.verb);
      const said = inWords(verb.display) || lastPart(text(verb.id));
      return `${nameOf(object(target.actor))} ${said} ${describe(object(target.object))}`;
    }
    default:
      return inWords(object(target.definition).name) || lastPart(text(target.id)) || "something";
  }
}

function resultOf(result: JsonObject): string {
  const score = object(result.score);
  const parts: string[] = [];
  if (typeof score.raw === "number") {
    parts.push(typeof score.max === "number" ? `${score.raw} of ${score.max}` : String(score.raw));
  } else if (typeof score.scaled === "number") {
    parts.push(`${Math.round(score.scaled * 100)} %`);
  }
  if (typeof result.success === "boolean") parts.push(result.success ? "right" : "not right");
  if (typeof result.completion === "boolean") parts.push(result.completion ? "completed" : "not completed");
  if (text(result.response) !== "") parts.push(`“${text(result.response)}”`);
  if (text(result.duration) !== "") parts.push(duration(text(result.duration)));
  return parts.join(", ");
}

/** `PT1M30S` as `1 min 30 s`; what is no such text stays as it is. */
export function duration(iso: string): string {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(iso);
  if (match === null) return iso;
  const units = ["d", "h", "min", "s"];
  const parts = match.slice(1).map((number: string | undefined, index) => {
    const value = Number(number ?? 0);
    return value === 0 ? "" : `${Math.round(value * 10) / 10} ${units[index] ?? ""}`;
  });
  return parts.filter((part) => part !== "").join(" ") || "0 s";
}

function factsOf(raw: JsonObject): [string, string][] {
  const context = object(raw.context);
  const activities = object(context.contextActivities);
  const facts: [string, string][] = [];
  const add = (name: string, value: string) => {
    if (value !== "") facts.push([name, value]);
  };
  for (const [kind, name] of [
    ["parent", "Part of"],
    ["grouping", "Within"],
    ["category", "Kind"],
    ["other", "Also about"],
  ] as const) {
    add(
      name,
      list(activities[kind])
        .map((activity) => describe(object(activity)))
        .join(", "),
    );
  }
  add("Registration", text(context.registration));
  add("Led by", context.instructor === undefined ? "" : nameOf(object(context.instructor)));
  add("Team", context.team === undefined ? "" : nameOf(object(context.team)));
  add("Platform", text(context.platform));
  add("Language", text(context.language));
  for (const [where, extensions] of [
    ["result", object(object(raw.result).extensions)],
    ["context", object(context.extensions)],
  ] as const) {
    for (const [key, value] of Object.entries(extensions)) {
      add(`${lastPart(key)} (${where})`, typeof value === "string" ? value : JSON.stringify(value));
    }
  }
  add(
    "Attachments",
    list(raw.attachments)
      .map((one) => inWords(object(one).display))
      .join(", "),
  );
  add("Vouched for by", raw.authority === undefined ? "" : nameOf(object(raw.authority)));
  return facts;
}

function object(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

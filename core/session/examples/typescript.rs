//! Prints what commands, events and entities look like in TypeScript, from the types of this crate: `make types` writes it to
//! `web/sdk/src/generated/class.ts`, and `make check` sees that it is still the same.
//!
//! What a client writes may leave out what has a default; what it reads has everything. Where this makes a difference, the type
//! of what is written has a name that ends in `Input`.

#![allow(clippy::expect_used, reason = "a generator that cannot go on should stop")]
#![allow(clippy::disallowed_macros, reason = "what it prints is what it makes")]

use lyceum_session::class::{
    Ban, Breakouts, Cap, CheckpointView, ClassCommand, ClassFact, Collection, Deck, Grant, GrantView, HandView,
    Message, ParticipantView, PollView, QuestionView, Report, ResponseOutcome, ResponseView, ResultView, SessionView,
    Space, Timer, WaitingView,
};
use lyceum_session::{Event, Fact, Reject, Role};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const HEAD: &str = "\
// Made by `make types` from the Rust types in core/session. Do not edit.

";

/// Collections in the order of the protocol's documentation, each with what its entities are.
const COLLECTIONS: [Collection; 17] = [
    Collection::Session,
    Collection::Participants,
    Collection::Grants,
    Collection::Waiting,
    Collection::Bans,
    Collection::Spaces,
    Collection::Breakouts,
    Collection::Hands,
    Collection::Messages,
    Collection::Questions,
    Collection::Polls,
    Collection::Results,
    Collection::Responses,
    Collection::Timers,
    Collection::Decks,
    Collection::Checkpoint,
    Collection::Reports,
];

fn main() {
    let mut read = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut written = SchemaSettings::draft2020_12().for_deserialize().into_generator();

    let entities: Vec<(Value, Value)> = COLLECTIONS
        .iter()
        .map(|collection| (serde_json::to_value(collection).expect("a name"), entity(*collection, &mut read)))
        .collect();
    let facts = variants(&read.root_schema_for::<Fact>().to_value());
    let class_facts = variants(&read.root_schema_for::<ClassFact>().to_value());
    let event = read.root_schema_for::<Event>().to_value();
    // What the answer to a command has in it as well.
    for part in [
        SchemaGenerator::subschema_for::<Cap>,
        SchemaGenerator::subschema_for::<Role>,
        SchemaGenerator::subschema_for::<Grant>,
        SchemaGenerator::subschema_for::<ResponseOutcome>,
    ] {
        part(&mut read);
    }
    let commands = variants(&written.root_schema_for::<ClassCommand>().to_value());

    let read = read.take_definitions(true);
    let written = written.take_definitions(true);
    let differing = differing(&read, &written);

    let as_read = Names { differing: BTreeSet::new() };
    let as_written = Names { differing: differing.clone() };

    let mut out = HEAD.to_owned();
    out += "/** What can be asked for: the payload of each type of command. */\n";
    interface_of(&mut out, "Commands", &commands, &as_written);
    out += "/** What can have happened: the payload of each type of event. */\n";
    let facts: Vec<_> = facts.into_iter().chain(class_facts).collect();
    interface_of(&mut out, "Facts", &facts, &as_read);
    out += "/** The entities of each collection. */\nexport interface Collections {\n";
    for (name, schema) in &entities {
        let _ = writeln!(out, "  {}: {};", name.as_str().expect("a name"), as_read.type_of(schema, 1));
    }
    out += "}\n\n/** What surrounds the type and the payload of an event. */\nexport interface EventFrame ";
    let frame = as_read.members(event.as_object().expect("a struct"), 0);
    let _ = writeln!(out, "{frame}\n");
    let codes: Vec<String> = Reject::CODES.iter().map(|code| format!("\"{code}\"")).collect();
    let _ = writeln!(out, "/** Why a command was refused. */\nexport type RejectCode = {};\n", codes.join(" | "));

    // `Fact` and what holds it are the interfaces above.
    let told = ["Fact", "ClassFact", "Event", "ClassCommand"];
    for (name, schema) in read.iter().filter(|(name, _)| !told.contains(&name.as_str())) {
        declare(&mut out, name, schema, &as_read);
    }
    for (name, schema) in written.iter().filter(|(name, _)| !told.contains(&name.as_str())) {
        if differing.contains(name) {
            declare(&mut out, &format!("{name}Input"), schema, &as_written);
        } else if !read.contains_key(name) {
            declare(&mut out, name, schema, &as_written);
        }
    }
    println!("{}", out.trim_end());
}

fn entity(collection: Collection, read: &mut SchemaGenerator) -> Value {
    let schema = match collection {
        Collection::Session => read.subschema_for::<SessionView>(),
        Collection::Participants => read.subschema_for::<ParticipantView>(),
        Collection::Grants => read.subschema_for::<GrantView>(),
        Collection::Waiting => read.subschema_for::<WaitingView>(),
        Collection::Bans => read.subschema_for::<Ban>(),
        Collection::Spaces => read.subschema_for::<Space>(),
        Collection::Breakouts => read.subschema_for::<Breakouts>(),
        Collection::Hands => read.subschema_for::<HandView>(),
        Collection::Messages => read.subschema_for::<Message>(),
        Collection::Questions => read.subschema_for::<QuestionView>(),
        Collection::Polls => read.subschema_for::<PollView>(),
        Collection::Results => read.subschema_for::<ResultView>(),
        Collection::Responses => read.subschema_for::<ResponseView>(),
        Collection::Timers => read.subschema_for::<Timer>(),
        Collection::Decks => read.subschema_for::<Deck>(),
        Collection::Checkpoint => read.subschema_for::<CheckpointView>(),
        Collection::Reports => read.subschema_for::<Report>(),
    };
    schema.to_value()
}

/// The cases of an enum that is written as `type` and `payload`: name, words about it, payload.
fn variants(schema: &Value) -> Vec<(String, Option<String>, Value)> {
    let cases = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
    let mut found = Vec::new();
    for case in cases.into_iter().flatten() {
        let Some(name) = case.pointer("/properties/type/const").and_then(Value::as_str) else { continue };
        let payload = case.pointer("/properties/payload").cloned().unwrap_or_else(|| serde_json::json!({}));
        found.push((name.to_owned(), description(case), payload));
    }
    found
}

/// Types that look different when they are read and when they are written.
fn differing(read: &Map<String, Value>, written: &Map<String, Value>) -> BTreeSet<String> {
    let plain = Names { differing: BTreeSet::new() };
    let both: BTreeMap<&String, (&Value, &Value)> =
        written.iter().filter_map(|(name, schema)| Some((name, (read.get(name)?, schema)))).collect();
    let mut differing: BTreeSet<String> = both
        .iter()
        .filter(|(_, (read, written))| plain.type_of(read, 0) != plain.type_of(written, 0))
        .map(|(name, _)| (*name).clone())
        .collect();
    loop {
        let names = Names { differing: differing.clone() };
        let more: Vec<String> = both
            .iter()
            .filter(|(name, _)| !differing.contains(**name))
            .filter(|(_, (_, written))| names.type_of(written, 0) != plain.type_of(written, 0))
            .map(|(name, _)| (*name).clone())
            .collect();
        if more.is_empty() {
            return differing;
        }
        differing.extend(more);
    }
}

fn interface_of(out: &mut String, name: &str, variants: &[(String, Option<String>, Value)], names: &Names) {
    let _ = writeln!(out, "export interface {name} {{");
    for (name, words, payload) in variants {
        say(out, words.as_deref(), 1);
        let _ = writeln!(out, "  \"{name}\": {};", names.type_of(payload, 1));
    }
    out.push_str("}\n\n");
}

fn declare(out: &mut String, name: &str, schema: &Value, names: &Names) {
    say(out, description(schema).as_deref(), 0);
    let body = names.type_of(schema, 0);
    let is_union = ["oneOf", "anyOf", "allOf"].iter().any(|word| schema.get(word).is_some());
    let _ = match body.starts_with('{') && !is_union {
        true => writeln!(out, "export interface {name} {body}\n"),
        false => writeln!(out, "export type {name} = {body};\n"),
    };
}

fn description(schema: &Value) -> Option<String> {
    schema.get("description").and_then(Value::as_str).map(str::to_owned)
}

fn say(out: &mut String, words: Option<&str>, depth: usize) {
    if let Some(words) = words {
        let words = words.replace('\n', " ").replace("[`", "`").replace("`]", "`");
        let _ = writeln!(out, "{}/** {words} */", "  ".repeat(depth));
    }
}

/// How references are named: those to types that differ are to their written form.
struct Names {
    differing: BTreeSet<String>,
}

impl Names {
    fn type_of(&self, schema: &Value, depth: usize) -> String {
        let Some(schema) = schema.as_object() else { return "unknown".to_owned() };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or(name);
            let suffix = if self.differing.contains(name) { "Input" } else { "" };
            return format!("{name}{suffix}");
        }
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return union(values.iter().map(Value::to_string));
        }
        let mut parts = Vec::new();
        if schema.contains_key("properties") || schema.get("type").is_some_and(|kind| kind == "object") {
            parts.push(self.object(schema, depth));
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(cases) = schema.get(word).and_then(Value::as_array) {
                parts.push(union(cases.iter().map(|case| self.type_of(case, depth))));
            }
        }
        for case in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            parts.push(self.type_of(case, depth));
        }
        match parts.len() {
            0 => self.simple(schema, depth),
            1 => parts.remove(0),
            _ => {
                let group = |part: String| if part.contains(" | ") { format!("({part})") } else { part };
                parts.into_iter().map(group).collect::<Vec<_>>().join(" & ")
            }
        }
    }

    fn simple(&self, schema: &Map<String, Value>, depth: usize) -> String {
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return "unknown".to_owned(),
        };
        union(kinds.into_iter().map(|kind| match kind {
            "integer" | "number" => "number".to_owned(),
            "array" => {
                let of = schema.get("items").map_or("unknown".to_owned(), |items| self.type_of(items, depth));
                if of.contains(' ') { format!("({of})[]") } else { format!("{of}[]") }
            }
            "object" => self.object(schema, depth),
            other => other.to_owned(),
        }))
    }

    fn object(&self, schema: &Map<String, Value>, depth: usize) -> String {
        if schema.get("properties").and_then(Value::as_object).is_some_and(|properties| !properties.is_empty()) {
            return self.members(schema, depth);
        }
        match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("Record<string, {}>", self.type_of(values, depth)),
            _ => "Record<string, never>".to_owned(),
        }
    }

    fn members(&self, schema: &Map<String, Value>, depth: usize) -> String {
        let properties = schema.get("properties").and_then(Value::as_object);
        // A map whose keys are capabilities has one property for each.
        if let Some((cap, of)) = properties.and_then(|properties| properties.iter().next())
            && Cap::ALL.iter().any(|known| known.name() == cap)
        {
            return format!("Partial<Record<Cap, {}>>", self.type_of(of, depth));
        }
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut out = "{\n".to_owned();
        for (name, schema) in properties.into_iter().flatten() {
            say(&mut out, description(schema).as_deref(), depth + 1);
            let mark = if required.contains(&name.as_str()) { "" } else { "?" };
            let _ = writeln!(out, "{}{name}{mark}: {};", "  ".repeat(depth + 1), self.type_of(schema, depth + 1));
        }
        out + &"  ".repeat(depth) + "}"
    }
}

/// Each case once.
fn union(cases: impl Iterator<Item = String>) -> String {
    let mut seen = Vec::new();
    for case in cases {
        if !seen.contains(&case) {
            seen.push(case);
        }
    }
    seen.join(" | ")
}

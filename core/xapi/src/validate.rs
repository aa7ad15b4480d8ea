//! Whether a statement keeps the rules. Each breach is told with its place, as a JSON pointer, and the rule in words, so that whoever
//! wrote the statement can mend it. Nothing of the statement's content is repeated but names of properties.

use crate::json::{Json, Object};
use crate::text::{self, Timestamp, TimestampForm, Uuid};
use crate::version::Version;
use std::fmt;

/// Breaches that are told of one statement, at most; there may be more.
pub const MAX_PROBLEMS: usize = 20;

/// The verb that voids another statement.
pub const VOIDED: &str = "http://adlnet.gov/expapi/verbs/voided";

/// The usage type of an attachment that signs its statement.
pub const SIGNATURE: &str = "http://adlnet.gov/expapi/attachments/signature";

/// One breach of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where, as a JSON pointer (RFC 6901) into the statement; empty for the statement itself.
    pub at: String,
    /// The rule, in words.
    pub rule: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the statement" } else { &self.at };
        write!(f, "{at}: {}", self.rule)
    }
}

/// Looks at one statement as a client sends it. `Ok` if it may be stored; otherwise the breaches, in the order of the rules.
pub fn statement(statement: &Json, version: Version) -> Result<(), Vec<Problem>> {
    let mut check = Check::new(version);
    check.statement(statement);
    check.result()
}

/// Looks at an Agent as it comes in a request's parameter, where a Group may be given as well.
pub fn actor(actor: &Json, version: Version) -> Result<(), Vec<Problem>> {
    let mut check = Check::new(version);
    check.actor(actor, Who::AgentOrGroup);
    check.result()
}

/// Which kind of actor a place takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Agent,
    Group,
    AgentOrGroup,
}

struct Check<'a> {
    version: Version,
    path: Vec<Step<'a>>,
    problems: Vec<Problem>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

const IDENTIFIERS: [&str; 4] = ["mbox", "mbox_sha1sum", "openid", "account"];

const INTERACTIONS: [&str; 10] = [
    "true-false",
    "choice",
    "fill-in",
    "long-fill-in",
    "matching",
    "performance",
    "sequencing",
    "likert",
    "numeric",
    "other",
];

/// Lists of interaction components, and the interaction types that have them.
const COMPONENTS: [(&str, &[&str]); 5] = [
    ("choices", &["choice", "sequencing"]),
    ("scale", &["likert"]),
    ("source", &["matching"]),
    ("target", &["matching"]),
    ("steps", &["performance"]),
];

impl<'a> Check<'a> {
    fn new(version: Version) -> Self {
        Self { version, path: Vec::new(), problems: Vec::new() }
    }

    fn result(self) -> Result<(), Vec<Problem>> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }

    fn statement(&mut self, statement: &'a Json) {
        let allowed = [
            "id",
            "actor",
            "verb",
            "object",
            "result",
            "context",
            "timestamp",
            "stored",
            "authority",
            "version",
            "attachments",
        ];
        let Some(object) = self.object(statement, "a statement", &allowed) else { return };
        self.optional(object, "id", Self::uuid);
        self.acts(object);
        self.optional(object, "stored", Self::timestamp);
        self.optional(object, "authority", Self::authority);
        self.optional(object, "version", Self::version);
        if object.get("verb").and_then(|verb| verb.get_str("id")) == Some(VOIDED)
            && object.get("object").and_then(|target| target.get_str("objectType")) != Some("StatementRef")
        {
            self.breach_at("object", "a voiding statement must have a StatementRef as its object");
        }
    }

    /// What statements and SubStatements share.
    fn acts(&mut self, object: &'a Object) {
        self.required(object, "actor", |check, actor| check.actor(actor, Who::AgentOrGroup));
        self.required(object, "verb", Self::verb);
        self.required(object, "object", |check, target| check.target(target));
        self.optional(object, "result", Self::outcome);
        let about_activity = object.get("object").is_some_and(is_activity);
        self.optional(object, "context", |check, context| check.context(context, about_activity));
        self.optional(object, "timestamp", Self::timestamp);
        self.optional(object, "attachments", Self::attachments);
    }

    fn actor(&mut self, actor: &'a Json, who: Who) {
        let Some(kind) = actor.get("objectType") else {
            if who == Who::Group {
                self.object(actor, "a Group", &[]);
                return self.breach("the objectType \"Group\" is missing: only a Group may stand here");
            }
            return self.agent(actor);
        };
        match (kind.as_str(), who) {
            (Some("Agent"), Who::Agent | Who::AgentOrGroup) => self.agent(actor),
            (Some("Group"), Who::Group | Who::AgentOrGroup) => self.group(actor),
            (_, Who::Agent) => self.breach_at("objectType", "must be \"Agent\" here"),
            (_, Who::Group) => self.breach_at("objectType", "must be \"Group\" here"),
            (_, Who::AgentOrGroup) => self.breach_at("objectType", "must be \"Agent\" or \"Group\""),
        }
    }

    fn agent(&mut self, agent: &'a Json) {
        let allowed = ["objectType", "name", "mbox", "mbox_sha1sum", "openid", "account"];
        let Some(object) = self.object(agent, "an Agent", &allowed) else { return };
        self.optional(object, "name", Self::string);
        if self.identifiers(object) != 1 {
            self.breach("an Agent must have exactly one of mbox, mbox_sha1sum, openid and account");
        }
    }

    fn group(&mut self, group: &'a Json) {
        let allowed = ["objectType", "name", "mbox", "mbox_sha1sum", "openid", "account", "member"];
        let Some(object) = self.object(group, "a Group", &allowed) else { return };
        self.optional(object, "name", Self::string);
        let identifiers = self.identifiers(object);
        if identifiers > 1 {
            self.breach("a Group must have at most one of mbox, mbox_sha1sum, openid and account");
        }
        match object.get("member") {
            None if identifiers == 0 => self.breach("a Group without an identifier must have members"),
            None => {}
            Some(Json::Array(members)) => {
                if members.is_empty() && identifiers == 0 {
                    self.breach_at("member", "a Group without an identifier must have members");
                }
                self.within("member", |check| check.each(members, |check, member| check.actor(member, Who::Agent)));
            }
            Some(_) => self.breach_at("member", "must be an array of Agents"),
        }
    }

    /// Checks what identifies an actor; returns how many identifiers there are.
    fn identifiers(&mut self, object: &'a Object) -> usize {
        self.optional(object, "mbox", |check, mbox| {
            check.text(mbox, "must be a mailto IRI with one e-mail address", text::is_mbox);
        });
        self.optional(object, "mbox_sha1sum", |check, sum| {
            check.text(sum, "must be a SHA-1 in 40 hexadecimal digits", text::is_sha1);
        });
        self.optional(object, "openid", |check, openid| {
            check.text(openid, "must be an absolute URI", text::is_uri);
        });
        self.optional(object, "account", Self::account);
        IDENTIFIERS.iter().filter(|name| object.get(name).is_some()).count()
    }

    fn account(&mut self, account: &'a Json) {
        let Some(object) = self.object(account, "an account", &["homePage", "name"]) else { return };
        self.required(object, "homePage", Self::iri);
        self.required(object, "name", Self::string);
    }

    fn authority(&mut self, authority: &'a Json) {
        if authority.get_str("objectType") != Some("Group") {
            return self.actor(authority, Who::Agent);
        }
        self.actor(authority, Who::Group);
        let two = authority.get("member").and_then(Json::as_array).is_some_and(|members| members.len() == 2);
        if !two || IDENTIFIERS.iter().any(|name| authority.get(name).is_some()) {
            self.breach("a Group may be an authority only with two members and no identifier of its own");
        }
    }

    fn verb(&mut self, verb: &'a Json) {
        let Some(object) = self.object(verb, "a verb", &["id", "display"]) else { return };
        self.required(object, "id", Self::iri);
        self.optional(object, "display", Self::language_map);
    }

    fn target(&mut self, target: &'a Json) {
        let inside = self.path.len() > 1;
        match target.get("objectType").map(|kind| kind.as_str()) {
            None | Some(Some("Activity")) => self.activity(target),
            Some(Some("Agent" | "Group")) => self.actor(target, Who::AgentOrGroup),
            Some(Some("StatementRef")) => self.reference(target),
            Some(Some("SubStatement")) if inside => {
                self.breach_at("objectType", "a SubStatement must not hold another SubStatement");
            }
            Some(Some("SubStatement")) => self.sub_statement(target),
            Some(_) => self.breach_at(
                "objectType",
                "must be \"Activity\", \"Agent\", \"Group\", \"StatementRef\" or \"SubStatement\"",
            ),
        }
    }

    fn sub_statement(&mut self, sub: &'a Json) {
        let allowed = ["objectType", "actor", "verb", "object", "result", "context", "timestamp", "attachments"];
        if let Some(object) = self.object(sub, "a SubStatement", &allowed) {
            self.acts(object);
        }
    }

    fn reference(&mut self, reference: &'a Json) {
        let Some(object) = self.object(reference, "a StatementRef", &["objectType", "id"]) else { return };
        if object.get("objectType").and_then(Json::as_str) != Some("StatementRef") {
            self.breach_at("objectType", "must be \"StatementRef\"");
        }
        self.required(object, "id", Self::uuid);
    }

    fn activity(&mut self, activity: &'a Json) {
        let Some(object) = self.object(activity, "an Activity", &["objectType", "id", "definition"]) else { return };
        if object.get("objectType").is_some_and(|kind| kind.as_str() != Some("Activity")) {
            self.breach_at("objectType", "must be \"Activity\"");
        }
        self.required(object, "id", Self::iri);
        self.optional(object, "definition", Self::definition);
    }

    fn definition(&mut self, definition: &'a Json) {
        let allowed = [
            "name",
            "description",
            "type",
            "moreInfo",
            "extensions",
            "interactionType",
            "correctResponsesPattern",
            "choices",
            "scale",
            "source",
            "target",
            "steps",
        ];
        let Some(object) = self.object(definition, "an Activity's definition", &allowed) else { return };
        self.optional(object, "name", Self::language_map);
        self.optional(object, "description", Self::language_map);
        self.optional(object, "type", Self::iri);
        self.optional(object, "moreInfo", Self::iri);
        self.optional(object, "extensions", Self::extensions);
        self.optional(object, "interactionType", |check, kind| {
            check.text(kind, "must be one of the ten interaction types of CMI", |kind| INTERACTIONS.contains(&kind));
        });
        self.optional(object, "correctResponsesPattern", |check, pattern| match pattern {
            Json::Array(patterns) => check.each(patterns, Self::string),
            _ => check.breach("must be an array of strings"),
        });
        let interaction = object.get("interactionType").and_then(Json::as_str);
        if interaction.is_none() && object.get("correctResponsesPattern").is_some() {
            self.breach("an Activity with a correctResponsesPattern must have an interactionType");
        }
        for (list, kinds) in COMPONENTS {
            let Some(components) = object.get(list) else { continue };
            self.within(list, |check| check.components(components));
            if !interaction.is_some_and(|kind| kinds.contains(&kind)) {
                self.breach_at(list, format!("only interactions of the type {} have this", kinds.join(" or ")));
            }
        }
    }

    fn components(&mut self, components: &'a Json) {
        let Json::Array(items) = components else {
            return self.breach("must be an array of interaction components");
        };
        let mut ids = std::collections::BTreeSet::new();
        self.each(items, |check, item| {
            let Some(object) = check.object(item, "an interaction component", &["id", "description"]) else { return };
            check.required(object, "id", Self::string);
            check.optional(object, "description", Self::language_map);
            if let Some(id) = object.get("id").and_then(Json::as_str)
                && !ids.insert(id)
            {
                check.breach_at("id", "another component of this list has the same id");
            }
        });
    }

    fn outcome(&mut self, result: &'a Json) {
        let allowed = ["score", "success", "completion", "response", "duration", "extensions"];
        let Some(object) = self.object(result, "a result", &allowed) else { return };
        self.optional(object, "score", Self::score);
        self.optional(object, "success", Self::boolean);
        self.optional(object, "completion", Self::boolean);
        self.optional(object, "response", Self::string);
        self.optional(object, "duration", |check, duration| {
            check.text(duration, "must be a duration of ISO 8601 such as PT1H30M or P2W", |duration| {
                text::Duration::parse(duration).is_some()
            });
        });
        self.optional(object, "extensions", Self::extensions);
    }

    fn score(&mut self, score: &'a Json) {
        let Some(object) = self.object(score, "a score", &["scaled", "raw", "min", "max"]) else { return };
        for name in ["scaled", "raw", "min", "max"] {
            self.optional(object, name, |check, number| {
                if !matches!(number, Json::Number(_)) {
                    check.breach("must be a number");
                }
            });
        }
        let value = |name| match object.get(name) {
            Some(Json::Number(number)) => Some(number.value()),
            _ => None,
        };
        if value("scaled").is_some_and(|scaled| !(-1.0..=1.0).contains(&scaled)) {
            self.breach_at("scaled", "must lie between -1 and 1");
        }
        let (raw, min, max) = (value("raw"), value("min"), value("max"));
        if let (Some(min), Some(max)) = (min, max)
            && min >= max
        {
            self.breach_at("min", "must be less than max");
        }
        if raw.is_some_and(|raw| min.is_some_and(|min| raw < min) || max.is_some_and(|max| raw > max)) {
            self.breach_at("raw", "must lie between min and max");
        }
    }

    fn context(&mut self, context: &'a Json, about_activity: bool) {
        let mut allowed = vec![
            "registration",
            "instructor",
            "team",
            "contextActivities",
            "revision",
            "platform",
            "language",
            "statement",
            "extensions",
        ];
        if self.version == Version::V2 {
            allowed.extend(["contextAgents", "contextGroups"]);
        }
        let Some(object) = self.object(context, "a context", &allowed) else { return };
        self.optional(object, "registration", Self::uuid);
        self.optional(object, "instructor", |check, actor| check.actor(actor, Who::AgentOrGroup));
        self.optional(object, "team", |check, team| check.actor(team, Who::Group));
        self.optional(object, "contextActivities", Self::context_activities);
        for name in ["revision", "platform"] {
            self.optional(object, name, Self::string);
            if object.get(name).is_some() && !about_activity {
                self.breach_at(name, "may stand only in a statement about an Activity");
            }
        }
        self.optional(object, "language", |check, tag| {
            check.text(tag, "must be a language tag of RFC 5646", text::is_language);
        });
        self.optional(object, "statement", Self::reference);
        self.optional(object, "extensions", Self::extensions);
        if self.version == Version::V2 {
            self.optional(object, "contextAgents", |check, list| {
                check.roles(list, "contextAgent", "agent", Who::Agent)
            });
            self.optional(object, "contextGroups", |check, list| {
                check.roles(list, "contextGroup", "group", Who::Group)
            });
        }
    }

    fn context_activities(&mut self, activities: &'a Json) {
        let kinds = ["parent", "grouping", "category", "other"];
        let Some(object) = self.object(activities, "contextActivities", &kinds) else { return };
        for kind in kinds {
            self.optional(object, kind, |check, value| match value {
                Json::Array(items) => check.each(items, Self::activity),
                one => check.activity(one),
            });
        }
    }

    /// contextAgents and contextGroups of 2.0.
    fn roles(&mut self, list: &'a Json, kind: &'static str, holder: &'static str, who: Who) {
        let Json::Array(items) = list else {
            return self.breach(format!("must be an array of {kind} objects"));
        };
        self.each(items, |check, item| {
            let allowed = ["objectType", holder, "relevantTypes"];
            let Some(object) = check.object(item, kind, &allowed) else { return };
            if object.get("objectType").and_then(Json::as_str) != Some(kind) {
                check.breach_at("objectType", format!("must be \"{kind}\""));
            }
            check.required(object, holder, |check, actor| check.actor(actor, who));
            check.optional(object, "relevantTypes", |check, types| match types {
                Json::Array(types) if !types.is_empty() => check.each(types, Self::iri),
                _ => check.breach("must be an array of at least one IRI"),
            });
        });
    }

    fn attachments(&mut self, attachments: &'a Json) {
        match attachments {
            Json::Array(items) => self.each(items, Self::attachment),
            _ => self.breach("must be an array of attachments"),
        }
    }

    fn attachment(&mut self, attachment: &'a Json) {
        let allowed = ["usageType", "display", "description", "contentType", "length", "sha2", "fileUrl"];
        let Some(object) = self.object(attachment, "an attachment", &allowed) else { return };
        self.required(object, "usageType", Self::iri);
        self.required(object, "display", Self::language_map);
        self.optional(object, "description", Self::language_map);
        self.required(object, "contentType", |check, kind| {
            check.text(kind, "must be a media type such as image/png", text::is_media_type);
        });
        self.required(object, "length", |check, length| {
            let whole = matches!(length, Json::Number(number) if number.is_whole() && number.value() >= 0.0);
            if !whole {
                check.breach("must be a whole number of octets");
            }
        });
        self.required(object, "sha2", |check, sum| {
            check.text(sum, "must be a SHA-2 in hexadecimal digits", text::is_sha2);
        });
        self.optional(object, "fileUrl", Self::iri);
        let signs = object.get("usageType").and_then(Json::as_str) == Some(SIGNATURE);
        if signs && object.get("contentType").and_then(Json::as_str) != Some("application/octet-stream") {
            self.breach_at("contentType", "a signature must be of the type application/octet-stream");
        }
    }

    fn extensions(&mut self, extensions: &'a Json) {
        let Json::Object(object) = extensions else { return self.breach("must be an object") };
        for (key, _) in object.iter() {
            if !text::is_iri(key) {
                self.breach_at(key, "the name of an extension must be an absolute IRI");
            }
        }
    }

    fn language_map(&mut self, map: &'a Json) {
        let Json::Object(object) = map else { return self.breach("must be a language map") };
        for (tag, value) in object.iter() {
            if !text::is_language(tag) {
                self.breach_at(tag, "the name must be a language tag of RFC 5646");
            }
            self.within(tag, |check| check.string(value));
        }
    }

    fn timestamp(&mut self, timestamp: &'a Json) {
        let (form, rule) = match self.version {
            Version::V1 => (TimestampForm::Iso8601, "must be a timestamp of ISO 8601 with date, time and offset"),
            Version::V2 => (TimestampForm::Rfc3339, "must be a timestamp of RFC 3339"),
        };
        self.text(timestamp, rule, |text| Timestamp::parse(text, form).is_some());
    }

    fn version(&mut self, version: &'a Json) {
        self.text(version, "must be 1.0, 1.0.x, 2.0 or 2.0.x", |version| Version::of_header(version).is_some());
    }

    fn uuid(&mut self, uuid: &'a Json) {
        self.text(uuid, "must be a UUID of RFC 4122", |uuid| Uuid::parse(uuid).is_some());
    }

    fn iri(&mut self, iri: &'a Json) {
        self.text(iri, "must be an absolute IRI", text::is_iri);
    }

    fn string(&mut self, string: &'a Json) {
        self.text(string, "must be a string", |_| true);
    }

    fn boolean(&mut self, boolean: &'a Json) {
        if !matches!(boolean, Json::Bool(_)) {
            self.breach("must be true or false");
        }
    }

    fn text(&mut self, value: &Json, rule: &str, keeps: impl FnOnce(&str) -> bool) {
        if !value.as_str().is_some_and(keeps) {
            self.breach(rule);
        }
    }

    /// The object, if it is one; properties that nobody knows are breaches.
    fn object(&mut self, value: &'a Json, what: &str, allowed: &[&str]) -> Option<&'a Object> {
        let Json::Object(object) = value else {
            self.breach(format!("{what} must be an object, and this is {}", value.kind()));
            return None;
        };
        for (name, _) in object.iter() {
            if !allowed.is_empty() && !allowed.contains(&name) {
                self.breach_at(name, format!("{what} has no such property"));
            }
        }
        Some(object)
    }

    fn required(&mut self, object: &'a Object, name: &'static str, check: impl FnOnce(&mut Self, &'a Json)) {
        match object.get(name) {
            Some(value) => self.within(name, |inside| check(inside, value)),
            None => self.breach_at(name, "is missing, and must be there"),
        }
    }

    fn optional(&mut self, object: &'a Object, name: &'static str, check: impl FnOnce(&mut Self, &'a Json)) {
        if let Some(value) = object.get(name) {
            self.within(name, |inside| check(inside, value));
        }
    }

    fn each(&mut self, items: &'a [Json], mut check: impl FnMut(&mut Self, &'a Json)) {
        for (index, item) in items.iter().enumerate() {
            self.path.push(Step::Index(index));
            check(self, item);
            self.path.pop();
        }
    }

    fn within(&mut self, name: &'a str, check: impl FnOnce(&mut Self)) {
        self.path.push(Step::Name(name));
        check(self);
        self.path.pop();
    }

    fn breach_at(&mut self, name: &'a str, rule: impl Into<String>) {
        self.within(name, |check| check.breach(rule));
    }

    fn breach(&mut self, rule: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { at: pointer(&self.path), rule: rule.into() });
        }
    }
}

/// Whether an object of a statement is an Activity, which is what it is when it does not say.
pub(crate) fn is_activity(object: &Json) -> bool {
    match object.get("objectType") {
        None => true,
        Some(kind) => kind.as_str() == Some("Activity"),
    }
}

fn pointer(path: &[Step<'_>]) -> String {
    let mut pointer = String::new();
    for step in path {
        pointer.push('/');
        match step {
            // Names may be long, since clients choose them; the beginning tells enough.
            Step::Name(name) => {
                let shown: String = name.chars().take(200).collect();
                pointer.push_str(&shown.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => pointer.push_str(&index.to_string()),
        }
    }
    pointer
}

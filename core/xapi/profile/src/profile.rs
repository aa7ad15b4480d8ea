//! Our xAPI Profile: what the concepts mean that are ours, and what each kind of statement has in it. It is written down here once; the
//! JSON-LD that others read is made of it.

use crate::iri::{self, BASE, VERSION, Verb, extensions as ext, types, verbs};
use crate::make::{in_language, list, object};
use lyceum_xapi::{Json, Object};

/// The profile as JSON-LD.
pub fn document() -> String {
    profile().to_text()
}

/// The profile.
pub fn profile() -> Json {
    let templates = templates();
    object([
        ("id", BASE.trim_end_matches('/').into()),
        ("@context", "https://w3id.org/xapi/profiles/context".into()),
        ("type", "Profile".into()),
        ("conformsTo", "https://w3id.org/xapi/profiles#1.0".into()),
        ("prefLabel", in_language("en", "Live classroom")),
        ("definition", in_language("en", DEFINITION)),
        ("versions", list([object([("id", VERSION.into()), ("generatedAtTime", iri::VERSION_MADE_AT.into())])])),
        ("author", object([("type", "Organization".into()), ("name", "Lyceum".into())])),
        ("concepts", list(concepts())),
        ("templates", list(templates.iter().map(Template::json))),
        ("patterns", list(patterns(&templates))),
    ])
}

const DEFINITION: &str = "What happens in a live class held over a network: presence with drops and returns, roles, hands, polls and \
    quizzes, messages, breakout rooms, media and moderation. It takes the terms of the virtual classroom profile where there are any. \
    Statements of one session share a registration; the extension `sequence` is the place of the event in the session's log, and the \
    last statement says how many events there were, so that whoever has them can tell whether any is missing. Actors are accounts \
    without names. In interactions of the type true-false the first option is true; options elsewhere are named by their place, from 0.";

/// Verbs of ours: what they mean, and the nearest broader and related verbs of others.
const VERBS: &[(Verb, &str, &[&str], &[&str])] = &[
    (
        verbs::ADMITTED,
        "The actor let somebody in who waited in the lobby. The object is who waited.",
        &[],
        &["http://activitystrea.ms/approve"],
    ),
    (
        verbs::DENIED,
        "The actor did not let somebody in who waited in the lobby. The object is who waited.",
        &[],
        &["http://activitystrea.ms/deny"],
    ),
    (
        verbs::CHANGED_ROLE,
        "The actor gave the object another role in the class.",
        &["http://activitystrea.ms/update"],
        &[],
    ),
    (verbs::GRANTED_PRESENTER, "The object presents from here on.", &["http://activitystrea.ms/authorize"], &[]),
    (verbs::REVOKED_PRESENTER, "The object presents no more.", &[], &[]),
    (verbs::CALLED_ON, "The actor called on the object to speak.", &[], &["http://id.tincanapi.com/verb/called"]),
    (
        verbs::TALLIED,
        "Something that people did without being named was counted: reactions of the last minute.",
        &[],
        &[],
    ),
    (verbs::CLEARED, "The actor removed everything from a whiteboard.", &["http://activitystrea.ms/delete"], &[]),
    (
        verbs::MODERATED,
        "The actor did something to the object by their authority in the class; the extension moderation-action says what.",
        &[],
        &[],
    ),
    (verbs::CONSENTED, "The actor answered a request for consent; the extension consent says how.", &[], &[]),
];

const TYPES: &[(&str, &str, &str, &[&str])] = &[
    (
        types::BREAKOUT_ROOM,
        "breakout room",
        "A room for a part of a class, which returns to the main room afterwards.",
        &[types::ROOM],
    ),
    (types::WHITEBOARD, "whiteboard", "A surface that people draw on together.", &[]),
    (types::CONSENT, "consent", "What somebody is asked to agree to.", &[]),
];

#[derive(Clone, Copy)]
enum Where {
    Context,
    Result,
}

const STRING: &str = r#"{"type":"string"}"#;
const BOOLEAN: &str = r#"{"type":"boolean"}"#;
const FROM_ONE: &str = r#"{"type":"integer","minimum":1}"#;
const FROM_ZERO: &str = r#"{"type":"integer","minimum":0}"#;
const ISO_DURATION: &str = r#"{"type":"string","pattern":"^PT[0-9]+([.][0-9]+)?S$"}"#;

const EXTENSIONS: &[(&str, Where, &str, &str)] = &[
    (
        ext::SEQUENCE,
        Where::Context,
        "The place in the session's log of the event that the statement was made of: from 1, without gaps. Several statements may be made of one event, and of some none.",
        FROM_ONE,
    ),
    (ext::EVENT_ID, Where::Context, "The session and the place in its log, as one text.", STRING),
    (
        ext::CLOCK,
        Where::Context,
        "When it happened: server_monotonic_ms since the session's start, and uncertainty_ms, by how much the truth may be earlier than the timestamp. A lost connection is noticed late: then it is the time since the last sign of life.",
        r#"{"type":"object","properties":{"server_monotonic_ms":{"type":"integer"},"uncertainty_ms":{"type":"integer"}},"required":["server_monotonic_ms","uncertainty_ms"]}"#,
    ),
    (
        ext::ROLE,
        Where::Context,
        "The actor's role in the class.",
        r#"{"enum":["instructor","co_instructor","teaching_assistant","learner","observer","captioner","agent","support"]}"#,
    ),
    (ext::CLIENT, Where::Context, "What the actor's device says of itself.", r#"{"type":"object"}"#),
    (ext::END_REASON, Where::Context, "Why the session ended.", STRING),
    (
        ext::LEAVE_REASON,
        Where::Context,
        "Why the actor is not here any more: left by their own wish, removed, dropped (they did not come back in time), or the session ended.",
        r#"{"enum":["left","removed","dropped","ended"]}"#,
    ),
    (ext::DROP_REASON, Where::Context, "How the connection was lost.", STRING),
    (ext::GAP, Where::Context, "From the last sign of life to the return.", ISO_DURATION),
    (ext::ATTEMPT, Where::Context, "Which return it is since the actor joined, from 1.", FROM_ONE),
    (ext::BANNED, Where::Context, "Whether they may not try again.", BOOLEAN),
    (ext::ROLE_FROM, Where::Context, "The role before.", STRING),
    (ext::ROLE_TO, Where::Context, "The role from here on.", STRING),
    (ext::CAUSE, Where::Context, "Why who presents has changed.", STRING),
    (ext::INTENT, Where::Context, "What the hand is raised for.", STRING),
    (ext::QUEUE_POSITION, Where::Context, "The place in the queue of hands, from 1.", FROM_ONE),
    (
        ext::LOWERED_BY,
        Where::Context,
        "Who lowered the hand: self, called (the actor was called on), or an Agent.",
        r#"{"type":["string","object"]}"#,
    ),
    (ext::WAIT, Where::Context, "For how long the hand was up.", ISO_DURATION),
    (ext::ANONYMOUS, Where::Context, "Whether nobody learns who answered what.", BOOLEAN),
    (ext::MULTI_SELECT, Where::Context, "Whether several options may be chosen.", BOOLEAN),
    (
        ext::MODE,
        Where::Context,
        "What it is for: poll, quiz, survey, checkpoint; of breakout rooms, how people were assigned.",
        STRING,
    ),
    (ext::ELIGIBLE, Where::Context, "How many people were asked.", FROM_ZERO),
    (
        ext::LATE,
        Where::Context,
        "The answer came after the end: counted within the grace, or not-counted and kept.",
        r#"{"enum":["counted","not-counted"]}"#,
    ),
    (
        ext::FROM_DRAFT,
        Where::Context,
        "The answer was not sent by the actor: at the end it was complete, and counts.",
        BOOLEAN,
    ),
    (
        ext::REVISION,
        Where::Context,
        "Which version of an answer or of a count it is, where there was an earlier one. The context's statement is that one.",
        FROM_ONE,
    ),
    (ext::GRADED_BY, Where::Context, "Who gave the points, as an Agent.", r#"{"type":"object"}"#),
    (
        ext::DETAIL,
        Where::Context,
        "What is shown of a result: counts (aggregate) or names.",
        r#"{"enum":["aggregate","names"]}"#,
    ),
    (
        ext::VISIBILITY,
        Where::Context,
        "Who can read a message: everybody (public), a breakout room (group), all of them (broadcast), staff, or two people (private).",
        r#"{"enum":["public","group","broadcast","staff","private"]}"#,
    ),
    (ext::LENGTH, Where::Context, "How long a text is, in characters.", FROM_ZERO),
    (ext::REPLY_TO, Where::Context, "The activity of the message that is answered.", STRING),
    (ext::MODERATION_ACTION, Where::Context, "What was done.", r#"{"enum":["mute","remove","ban"]}"#),
    (
        ext::MUTED_BY,
        Where::Context,
        "Who muted the actor, as an Agent, if it was not themselves.",
        r#"{"type":"object"}"#,
    ),
    (ext::ASSIGNED_BY, Where::Context, "Who assigned the actor: self, or an Agent.", r#"{"type":["string","object"]}"#),
    (ext::VISIT, Where::Context, "The actor looks in, and belongs elsewhere.", BOOLEAN),
    (ext::CONTENT_TYPE, Where::Context, "What a file is said to be, as a media type.", STRING),
    (ext::SIZE, Where::Context, "How large a file is said to be, in bytes.", FROM_ZERO),
    (ext::SHA2, Where::Context, "The SHA-256 of a file, in hexadecimal.", STRING),
    (ext::EVENT_COUNT, Where::Result, "How many events the session's log has.", FROM_ONE),
    (ext::LAST_SEQUENCE, Where::Result, "The place of the log's last event.", FROM_ONE),
    (
        ext::PRESENCE_SEGMENTS,
        Where::Result,
        "From when to when the actor was connected, in milliseconds since the session's start.",
        r#"{"type":"array","items":{"type":"object","properties":{"from_ms":{"type":"integer"},"to_ms":{"type":"integer"}},"required":["from_ms","to_ms"]}}"#,
    ),
    (
        ext::PRESENCE_SHARE,
        Where::Result,
        "For which share of the session the actor was connected, between 0 and 1.",
        r#"{"type":"number","minimum":0,"maximum":1}"#,
    ),
    (ext::TALLY, Where::Result, "How often each option was chosen, or each reaction sent.", r#"{"type":"object"}"#),
    (ext::COUNTED, Where::Result, "How many people's answers count.", FROM_ZERO),
    (ext::CONSENT, Where::Result, "Whether the actor agreed.", BOOLEAN),
];

fn concepts() -> Vec<Json> {
    let named = |id: &str, kind: &str, label: &str, definition: &str| {
        let mut concept = Object::default();
        concept.set("id", id.into());
        concept.set("type", kind.into());
        concept.set("inScheme", VERSION.into());
        concept.set("prefLabel", in_language("en", label));
        concept.set("definition", in_language("en", definition));
        concept
    };
    let iris = |iris: &[&str]| list(iris.iter().map(|iri| Json::from(*iri)));
    let mut concepts = Vec::new();
    for (verb, definition, broader, related) in VERBS {
        let mut concept = named(verb.id, "Verb", verb.word, definition);
        for (name, matches) in [("broadMatch", broader), ("relatedMatch", related)] {
            if !matches.is_empty() {
                concept.set(name, iris(matches));
            }
        }
        concepts.push(concept.into());
    }
    for (id, label, definition, broader) in TYPES {
        let mut concept = named(id, "ActivityType", label, definition);
        if !broader.is_empty() {
            concept.set("broadMatch", iris(broader));
        }
        concepts.push(concept.into());
    }
    for (id, place, definition, schema) in EXTENSIONS {
        let kind = match place {
            Where::Context => "ContextExtension",
            Where::Result => "ResultExtension",
        };
        let label = id.rsplit('/').next().unwrap_or(id).replace('-', " ");
        let mut concept = named(id, kind, &label, definition);
        concept.set("inlineSchema", (*schema).into());
        concepts.push(concept.into());
    }
    concepts
}

/// One kind of statement.
struct Template {
    name: &'static str,
    definition: &'static str,
    verb: Verb,
    object: Target,
    parent: Option<&'static str>,
    about: Option<&'static str>,
    rules: Vec<Json>,
}

/// What a kind of statement is about.
#[derive(Clone, Copy)]
enum Target {
    Activity(&'static str),
    Agent,
}

/// The type of a kind's activities.
fn of(activity_type: &'static str) -> Target {
    Target::Activity(activity_type)
}

fn kind(name: &'static str, verb: Verb, object: Target, definition: &'static str) -> Template {
    Template { name, definition, verb, object, parent: None, about: None, rules: Vec::new() }
}

impl Template {
    /// This must be there.
    fn has(mut self, location: &str) -> Self {
        self.rules.push(rule(location, [("presence", "included".into())]));
        self
    }

    /// This must not be there.
    fn lacks(mut self, location: &str) -> Self {
        self.rules.push(rule(location, [("presence", "excluded".into())]));
        self
    }

    /// Every value there is one of these, and there is one.
    fn is(mut self, location: &str, values: &[&str]) -> Self {
        let values = list(values.iter().map(|value| Json::from(*value)));
        self.rules.push(rule(location, [("presence", "included".into()), ("all", values)]));
        self
    }

    fn context(self, extension: &str) -> Self {
        self.has(&in_context(extension))
    }

    fn result(self, extension: &str) -> Self {
        self.has(&format!("$.result.extensions['{extension}']"))
    }

    fn lasts(self) -> Self {
        self.has("$.result.duration")
    }

    fn in_one(mut self, parent: &'static str) -> Self {
        self.parent = Some(parent);
        self
    }

    fn about(mut self, template: &'static str) -> Self {
        self.about = Some(template);
        self
    }

    fn id(name: &str) -> String {
        format!("{BASE}templates/{name}")
    }

    fn json(&self) -> Json {
        let mut template = Object::default();
        template.set("id", Self::id(self.name).into());
        template.set("type", "StatementTemplate".into());
        template.set("inScheme", VERSION.into());
        template.set("prefLabel", in_language("en", &self.name.replace('-', " ")));
        template.set("definition", in_language("en", self.definition));
        template.set("verb", self.verb.id.into());
        if let Target::Activity(activity_type) = self.object {
            template.set("objectActivityType", activity_type.into());
        }
        if let Some(parent) = self.parent {
            template.set("contextParentActivityType", list([parent.into()]));
        }
        if let Some(about) = self.about {
            template.set("contextStatementRefTemplate", list([Self::id(about).into()]));
        }
        let own = self.rules.iter().cloned();
        template.set("rules", list(own.chain(rules_of_target(self.object)).chain(rules_of_all())));
        template.into()
    }
}

fn rule<const N: usize>(location: &str, asks: [(&str, Json); N]) -> Json {
    let mut rule = Object::default();
    rule.set("location", location.into());
    rule.merge(asks.map(|(name, value)| (name.to_owned(), value)));
    rule.into()
}

fn in_context(extension: &str) -> String {
    format!("$.context.extensions['{extension}']")
}

fn rules_of_target(target: Target) -> Vec<Json> {
    match target {
        Target::Activity(_) => Vec::new(),
        Target::Agent => vec![
            rule("$.object.objectType", [("all", list(["Agent".into()]))]),
            rule("$.object.account.name", [("presence", "included".into())]),
            rule("$.object.name", [("presence", "excluded".into())]),
        ],
    }
}

/// What every statement has: a session, a place in its log, a clock, and nobody's name.
fn rules_of_all() -> Vec<Json> {
    let included =
        ["$.id", "$.timestamp", "$.context.registration", "$.actor.account.name", "$.actor.account.homePage"];
    let extensions = [ext::SESSION_ID, ext::SEQUENCE, ext::EVENT_ID, ext::CLOCK].map(in_context);
    let present = included.into_iter().map(str::to_owned).chain(extensions);
    let mut rules: Vec<_> = present.map(|location| rule(&location, [("presence", "included".into())])).collect();
    rules.push(rule(
        "$.actor.name | $.actor.mbox | $.actor.mbox_sha1sum | $.actor.openid",
        [("presence", "excluded".into())],
    ));
    rules.push(rule("$.context.contextActivities.category[*].id", [("any", list([VERSION.into()]))]));
    rules
}

fn templates() -> Vec<Template> {
    use Target::Agent;
    use types as t;
    use verbs as v;
    let interaction = "$.object.definition.interactionType";
    let emoji = format!("$.result.extensions['{}']", ext::EMOJI);
    vec![
        kind("session-initialized", v::INITIALIZED, of(t::ROOM), "A session of the room began. The first statement of each session."),
        kind("session-terminated", v::TERMINATED, of(t::ROOM), "The session ended. Its last statement: it says how many events the log has, so that a copy of the statements can be checked for completeness.")
            .lasts().result(ext::EVENT_COUNT).result(ext::LAST_SEQUENCE).context(ext::END_REASON),
        kind("joined", v::JOINED, of(t::ROOM), "Somebody came in. Their other devices are not told of.")
            .context(ext::CAMERA_ACTIVATED).context(ext::MICRO_ACTIVATED).context(ext::ROLE),
        kind("left", v::LEFT, of(t::ROOM), "Somebody is not here any more, for whatever reason. Everybody who joined leaves, at the session's end at the latest. The duration is how long they were connected since they joined, without gaps.")
            .lasts().is(&in_context(ext::LEAVE_REASON), &["left", "removed", "dropped", "ended"]),
        kind("suspended", v::SUSPENDED, of(t::ROOM), "Somebody's last connection was lost. They resume, or leave when the grace has passed. The duration is how long they were connected since they joined.")
            .lasts().context(ext::DROP_REASON),
        kind("resumed", v::RESUMED, of(t::ROOM), "Somebody whose connection was lost is back.").context(ext::GAP).context(ext::ATTEMPT),
        kind("attended", v::ATTENDED, of(t::ROOM), "At the session's end, of each learner who was here: for how long they were connected in all. Success, where it is given, says whether that was enough.")
            .has("$.result.completion").lasts().result(ext::PRESENCE_SHARE).result(ext::PRESENCE_SEGMENTS),
        kind("admitted", v::ADMITTED, Agent, "Somebody who waited in the lobby was let in."),
        kind("denied", v::DENIED, Agent, "Somebody who waited in the lobby was not let in.").context(ext::BANNED),
        kind("role-changed", v::CHANGED_ROLE, Agent, "Somebody has another role.").context(ext::ROLE_FROM).context(ext::ROLE_TO),
        kind("presenter-granted", v::GRANTED_PRESENTER, Agent, "Somebody presents from here on.").context(ext::CAUSE),
        kind("presenter-revoked", v::REVOKED_PRESENTER, Agent, "Somebody presents no more.").context(ext::CAUSE),
        kind("muted-by-staff", v::MODERATED, Agent, "Somebody's microphone was muted by somebody else.")
            .is(&in_context(ext::MODERATION_ACTION), &["mute"]),
        kind("removed", v::REMOVED, Agent, "Somebody was removed from the session. They also leave.")
            .is(&in_context(ext::MODERATION_ACTION), &["remove", "ban"]),
        kind("consent-answered", v::CONSENTED, of(t::CONSENT), "Somebody agreed to be recorded, or did not.").result(ext::CONSENT),
        kind("hand-raised", v::REACTED, of(t::ROOM), "Somebody raised their hand.").is(&emoji, &["U+1F590"]).context(ext::INTENT),
        kind("hand-lowered", v::UNREACTED, of(t::ROOM), "Somebody's hand went down.")
            .is(&emoji, &["U+1F590"]).context(ext::LOWERED_BY).context(ext::WAIT).about("hand-raised"),
        kind("called-on", v::CALLED_ON, Agent, "Somebody was called on to speak; the context's statement is their raised hand."),
        kind("reactions-tallied", v::TALLIED, of(t::ROOM), "How often people reacted in the last minute. Who did is not kept.").result(ext::TALLY),
        kind("poll-opened", v::ASKED, of(t::INTERACTION), "A question of a poll or a survey was opened, or a checkpoint.").has(interaction).context(ext::MODE),
        kind("quiz-opened", v::ASKED, of(t::ASSESSMENT), "A quiz was opened.").context(ext::MODE).context(ext::ELIGIBLE),
        kind("answered", v::ANSWERED, of(t::INTERACTION), "Somebody answered a question. An answer in words is told only where the tenant wants it; of an anonymous poll, that somebody answered and no more.").has(interaction),
        kind("quiz-question-answered", v::ANSWERED, of(t::INTERACTION), "Somebody answered a question of a quiz. Success and score are there if the question has a right answer.")
            .in_one(t::ASSESSMENT),
        kind("poll-closed", v::CLOSED, of(t::INTERACTION), "A question was closed, or its count was revised afterwards. The tally of an anonymous poll is left out if fewer than five people answered."),
        kind("quiz-closed", v::CLOSED, of(t::ASSESSMENT), "A quiz was closed, or its count was revised afterwards.").result(ext::COUNTED),
        kind("quiz-completed", v::COMPLETED, of(t::ASSESSMENT), "At the close of a quiz, of each who answered. The score is there if nobody has to read an answer first.")
            .has("$.result.completion"),
        kind("answer-scored", v::SCORED, of(t::INTERACTION), "Somebody gave the actor's answer its points.").has("$.result.score.raw").context(ext::GRADED_BY),
        kind("results-shared", v::SHARED, of(t::INTERACTION), "The result of a question was shown to the class.").context(ext::DETAIL),
        kind("quiz-results-shared", v::SHARED, of(t::ASSESSMENT), "The results of a quiz were shown to the class.").context(ext::DETAIL),
        kind("message-posted", v::POSTED, of(t::MESSAGE), "Somebody wrote a message, or a moderator let it through. The words are there only where the tenant wants it.").context(ext::VISIBILITY),
        kind("message-edited", v::EDITED, of(t::MESSAGE), "Somebody changed their message.").context(ext::VISIBILITY).about("message-posted"),
        kind("message-deleted", v::DELETED, of(t::MESSAGE), "A message was deleted by its author or a moderator.").context(ext::VISIBILITY).about("message-posted").lacks("$.result.response"),
        kind("question-asked", v::ASKED, of(t::QUESTION), "Somebody asked the class a question."),
        kind("question-voted-up", v::VOTED_UP, of(t::QUESTION), "Somebody wants to know as well."),
        kind("question-answered", v::RESPONDED, of(t::QUESTION), "A question of the class was answered in writing.").about("question-asked"),
        kind("file-shared", v::SHARED, of(t::FILE), "Somebody brought a file of slides.").context(ext::SIZE).context(ext::CONTENT_TYPE).context(ext::SHA2),
        kind("slide-presented", v::PRESENTED, of(t::SLIDE), "A page of slides is shown.").context(ext::POSITION).in_one(t::SLIDE_DECK),
        kind("whiteboard-cleared", v::CLEARED, of(t::WHITEBOARD), "A whiteboard was cleared."),
        kind("breakout-created", v::CREATED, of(t::BREAKOUT_ROOM), "A breakout room was opened.").context(ext::MODE),
        kind("breakout-assigned", v::WAS_ASSIGNED, of(t::BREAKOUT_ROOM), "Somebody belongs to a breakout room from here on, whether they are connected or not.").context(ext::ASSIGNED_BY).has("$.context.team"),
        kind("breakout-joined", v::JOINED, of(t::BREAKOUT_ROOM), "Somebody is in a breakout room.").has("$.context.team"),
        kind("breakout-left", v::LEFT, of(t::BREAKOUT_ROOM), "Somebody is not in a breakout room any more.").lasts().has("$.context.team"),
        kind("breakout-help-requested", v::REQUESTED_ATTENTION, of(t::BREAKOUT_ROOM), "A breakout room called for help.").has("$.context.team"),
        kind("breakout-closed", v::CLOSED, of(t::BREAKOUT_ROOM), "A breakout room was closed.").lasts(),
        kind("camera-started", v::STARTED, of(t::CAMERA), "Somebody's camera is on."),
        kind("camera-stopped", v::STOPPED, of(t::CAMERA), "Somebody's camera is off, or silent for the class.").lasts(),
        kind("microphone-started", v::STARTED, of(t::MICRO), "Somebody's microphone is on."),
        kind("microphone-stopped", v::STOPPED, of(t::MICRO), "Somebody's microphone is off or muted.").lasts(),
        kind("screen-shared", v::SHARED, of(t::SCREEN), "Somebody shows their screen."),
        kind("screen-unshared", v::UNSHARED, of(t::SCREEN), "Somebody shows their screen no more.").lasts(),
    ]
}

/// The order of a session's statements: it begins and ends with the two that say so.
fn patterns(templates: &[Template]) -> Vec<Json> {
    let pattern = |name: &str| format!("{BASE}patterns/{name}");
    let head = |name: &str| {
        let mut head = Object::default();
        head.set("id", pattern(name).into());
        head.set("type", "Pattern".into());
        head.set("inScheme", VERSION.into());
        head
    };
    let (first, last) = ("session-initialized", "session-terminated");
    let mut session = head("session");
    session.set("primary", Json::Bool(true));
    session.set("prefLabel", in_language("en", "session"));
    session.set("definition", in_language("en", "All statements of a session. A session that goes on has no end yet."));
    let parts = [Template::id(first), pattern("meanwhile"), Template::id(last)];
    session.set("sequence", list(parts.map(Json::from)));
    let mut meanwhile = head("meanwhile");
    meanwhile.set("zeroOrMore", pattern("anything").into());
    let mut anything = head("anything");
    let between = templates.iter().filter(|template| ![first, last].contains(&template.name));
    anything.set("alternates", list(between.map(|template| Template::id(template.name).into())));
    vec![session.into(), meanwhile.into(), anything.into()]
}

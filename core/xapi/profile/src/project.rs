//! From a log to statements. A [`Projector`] takes the events of one session in order and gives the statements that each of them becomes:
//! none, one, or several. What it remembers is worked out from the events before, so the statements of a prefix of a log are a prefix of
//! the statements of the log, and who reads it again gets the same bytes.

mod asking;
mod groups;
mod hands;
mod media;
mod people;
mod presence;
mod table;
mod talking;

use crate::iri::{self, Verb, extensions as ext, types, verbs};
use crate::make::{duration, in_language, list, moment, object, whole};
use crate::naming::Names;
use lyceum_session::{Event, Fact, Kind, Participant, PersonId, Presence, Role, Seq, SpaceName, State, Text, UnixMs};
use lyceum_xapi::{Json, Object, Uuid};

/// The first number of the mapping's version. It is part of each statement's id: statements of another mapping are others.
pub const MAPPING_MAJOR: u32 = 1;

/// How a tenant's logs become statements. The same settings and the same log give the same bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where the accounts and activities are: an address without a slash at the end.
    pub home_page: String,
    /// What people's accounts are hashed with. Whoever has it can tell whose account one is.
    pub tenant_key: [u8; 32],
    /// Which of the words that people wrote are told.
    pub texts: Texts,
    /// What the text of somebody reads as who was erased; it is told of nobody.
    pub erased: String,
    /// From which share of a class on, in percent, somebody has attended it; `None` does not judge.
    pub attended_percent: Option<u8>,
}

/// Which of the words that people wrote are told. Without any, statements have no text of anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Texts {
    /// Messages and questions of the class.
    pub chat: bool,
    /// What polls and quizzes ask and offer.
    pub polls: bool,
    /// Answers in words.
    pub answers: bool,
}

/// An event is not the one that comes next in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("event {found} follows event {after}: the log has a gap, or is read out of order")]
pub struct OutOfOrder {
    /// The event that was projected last.
    pub after: Seq,
    /// The event that came.
    pub found: Seq,
}

/// Makes statements of one session's events.
pub struct Projector {
    settings: Settings,
    /// `None` before `session.started`.
    names: Option<Names>,
    state: State,
    memory: Memory,
}

/// What is remembered beside the state of the class.
#[derive(Default)]
struct Memory {
    /// Who teaches; the last who did, once they are gone.
    hosts: Option<Json>,
    presence: presence::Visits,
    media: media::Running,
    asking: asking::Asked,
    talking: talking::Posted,
    groups: groups::Open,
}

impl Projector {
    /// At the beginning of a log.
    pub fn new(settings: Settings) -> Self {
        Self { settings, names: None, state: State::default(), memory: Memory::default() }
    }

    /// The event that was projected last; 0 before the first.
    pub fn seq(&self) -> Seq {
        self.state.seq
    }

    /// Whether the log has come to its end.
    pub fn is_over(&self) -> bool {
        self.state.ended
    }

    /// The statements of the log's next event, in the order in which they are to be stored.
    pub fn project(&mut self, event: &Event) -> Result<Vec<Json>, OutOfOrder> {
        if event.seq != self.state.seq.next() {
            return Err(OutOfOrder { after: self.state.seq, found: event.seq });
        }
        if let (Fact::SessionStarted { tenant, room, session, .. }, None) = (&event.fact, &self.names) {
            self.names = Some(Names::new(&self.settings, tenant, room, session));
        }
        let Some(names) = &mut self.names else {
            lyceum_session::apply(&mut self.state, event);
            return Ok(Vec::new());
        };
        let memory = &mut self.memory;
        let mut desk = Desk { settings: &self.settings, names, state: &self.state, event, said: Vec::new() };
        people::before(&mut desk);
        hands::before(&mut desk);
        talking::before(&mut desk, &mut memory.talking);
        table::before(&mut desk);
        media::before(&mut desk, &mut memory.media);
        groups::before(&mut desk, &mut memory.groups, &mut memory.presence);
        presence::before(&mut desk, &mut memory.presence);
        let said = desk.said;

        lyceum_session::apply(&mut self.state, event);

        let mut desk = Desk { settings: &self.settings, names, state: &self.state, event, said };
        hands::after(&mut desk);
        asking::after(&mut desk, &mut memory.asking);
        if may_change_hosts(&event.fact)
            && let Some(hosts) = desk.hosts()
        {
            memory.hosts = Some(hosts);
        }
        let said = std::mem::take(&mut desk.said);
        Ok(said.into_iter().map(|draft| desk.statement(draft, memory.hosts.as_ref())).collect())
    }
}

fn may_change_hosts(fact: &Fact) -> bool {
    use lyceum_session::class::ClassFact;
    matches!(
        fact,
        Fact::ParticipantAdmitted { .. }
            | Fact::ParticipantUpdated { .. }
            | Fact::ParticipantLeft { .. }
            | Fact::Class(ClassFact::RoleChanged { .. })
    )
}

/// Where one event is looked at: what is known, and what is said of it.
struct Desk<'a> {
    settings: &'a Settings,
    names: &'a mut Names,
    state: &'a State,
    event: &'a Event,
    said: Vec<Draft>,
}

/// A statement before what all of them have is put around it.
struct Draft {
    /// What of its event this is; no two of one event are the same.
    part: String,
    /// `None` is the server.
    actor: Option<PersonId>,
    verb: Verb,
    object: Json,
    result: Object,
    result_extensions: Object,
    extensions: Object,
    /// What the object belongs to, if that is not the room.
    parent: Option<Json>,
    /// The group that it happened in.
    team: Option<Json>,
    /// Whom it was for.
    recipient: Option<PersonId>,
    about: Option<Uuid>,
    uncertainty_ms: u64,
}

impl Draft {
    fn new(part: impl Into<String>, actor: Option<&PersonId>, verb: Verb, object: Json) -> Self {
        Self {
            part: part.into(),
            actor: actor.cloned(),
            verb,
            object,
            result: Object::default(),
            result_extensions: Object::default(),
            extensions: Object::default(),
            parent: None,
            team: None,
            recipient: None,
            about: None,
            // A millisecond is what the log's clock tells apart.
            uncertainty_ms: 1,
        }
    }

    /// An extension of the context.
    fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.extensions.set(name, value.into());
        self
    }

    fn maybe_with(self, name: &str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// A property of the result.
    fn result(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.result.set(name, value.into());
        self
    }

    /// An extension of the result.
    fn outcome(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.result_extensions.set(name, value.into());
        self
    }

    fn lasted(self, ms: u64) -> Self {
        self.result("duration", duration(ms))
    }

    fn lasted_if(self, ms: Option<u64>) -> Self {
        match ms {
            Some(ms) => self.lasted(ms),
            None => self,
        }
    }

    fn part_of(mut self, parent: Json) -> Self {
        self.parent = Some(parent);
        self
    }

    fn in_team(mut self, team: Json) -> Self {
        self.team = Some(team);
        self
    }

    fn to(mut self, recipient: &PersonId) -> Self {
        self.recipient = Some(recipient.clone());
        self
    }

    fn about(mut self, statement: Option<Uuid>) -> Self {
        self.about = statement;
        self
    }

    /// It happened between this moment and the event's.
    fn not_before(mut self, last_seen: UnixMs, at: UnixMs) -> Self {
        self.uncertainty_ms = self.uncertainty_ms.max(at.0.saturating_sub(last_seen.0));
        self
    }
}

impl<'a> Desk<'a> {
    fn tell(&mut self, draft: Draft) {
        self.said.push(draft);
    }

    /// Who caused the event; `None` is the server.
    fn actor(&self) -> Option<&'a PersonId> {
        self.event.actor.as_ref()
    }

    fn at(&self) -> UnixMs {
        self.event.at
    }

    /// Somebody of whom is told when they come and go: a person, whom the others may know of.
    fn is_told_of(&self, person: &PersonId) -> bool {
        self.state.participants.get(person).is_some_and(is_told_of)
    }

    fn role(&self, person: &PersonId) -> Option<Role> {
        self.state.participants.get(person).map(|known| known.profile.role)
    }

    /// The room.
    fn room(&self) -> Json {
        let definition = object([("type", types::ROOM.into()), ("name", in_language("und", &self.names.room.0))]);
        object([
            ("objectType", "Activity".into()),
            ("id", self.names.room_activity().into()),
            ("definition", definition),
        ])
    }

    /// Something else in this session.
    fn thing(&self, kind: &str, key: impl std::fmt::Display, activity_type: &str) -> Json {
        let mut definition = Object::default();
        definition.set("type", activity_type.into());
        self.activity(kind, key, definition)
    }

    fn activity(&self, kind: &str, key: impl std::fmt::Display, definition: Object) -> Json {
        let id = self.names.activity(kind, &key.to_string());
        object([("objectType", "Activity".into()), ("id", id.into()), ("definition", definition.into())])
    }

    /// A group's room.
    fn breakout(&self, space: &SpaceName) -> Json {
        let mut definition = Object::default();
        definition.set("type", types::BREAKOUT_ROOM.into());
        definition.set("name", in_language("und", &space.0));
        self.activity("breakout-room", space, definition)
    }

    fn team(&self, space: &SpaceName) -> Json {
        self.names.group("team", &space.0)
    }

    fn agent(&mut self, person: &PersonId) -> Json {
        self.names.agent(person)
    }

    fn agent_or_server(&mut self, person: Option<&PersonId>) -> Json {
        match person {
            Some(person) => self.names.agent(person),
            None => self.names.server(),
        }
    }

    /// A text as it may be told: not that of somebody who was erased.
    fn told<'t>(&self, wanted: bool, text: &'t Text) -> Option<&'t str> {
        (wanted && !text.0.is_empty() && text.0 != self.settings.erased).then_some(text.0.as_str())
    }

    /// How long a text is, in characters.
    fn length(&self, text: &Text) -> Option<Json> {
        (text.0 != self.settings.erased).then(|| whole(text.0.chars().count() as u64))
    }

    /// Who teaches now.
    fn hosts(&mut self) -> Option<Json> {
        let teaches = |known: &&Participant| {
            matches!(known.profile.role, Role::Instructor | Role::CoInstructor)
                && known.presence != Presence::Left
                && is_told_of(known)
        };
        let hosts: Vec<&PersonId> = self
            .state
            .participants
            .iter()
            .filter(|(_, known)| teaches(known))
            .map(|(person, _)| person)
            .take(MOST_HOSTS)
            .collect();
        match hosts[..] {
            [] => None,
            [one] => Some(self.names.agent(one)),
            _ => {
                let members = list(hosts.into_iter().map(|host| self.names.agent(host)));
                Some(object([("objectType", "Group".into()), ("member", members)]))
            }
        }
    }

    /// The statement, with what all statements have.
    fn statement(&mut self, draft: Draft, hosts: Option<&Json>) -> Json {
        let event = self.event;
        let mut context = Object::default();
        context.set("registration", self.names.registration.to_string().into());
        if let Some(hosts) = hosts {
            context.set("instructor", hosts.clone());
        }
        if let Some(team) = draft.team {
            context.set("team", team);
        }
        let is_activity = draft.object.get_str("objectType") == Some("Activity");
        if is_activity {
            context.set("platform", PLATFORM.into());
        }
        context.set("contextActivities", self.around(&draft.object, draft.parent));
        if let Some(recipient) = &draft.recipient {
            let agent = self.names.agent(recipient);
            context.set("contextAgents", list([object([("objectType", "contextAgent".into()), ("agent", agent)])]));
        }
        if let Some(about) = draft.about {
            let about = object([("objectType", "StatementRef".into()), ("id", about.to_string().into())]);
            context.set("statement", about);
        }
        let mut extensions = Object::default();
        extensions.set(ext::SESSION_ID, self.names.session_id.to_string().into());
        extensions.set(ext::SEQUENCE, whole(event.seq.0));
        extensions.set(ext::EVENT_ID, format!("{}/{}", self.names.session, event.seq).into());
        let clock =
            object([("server_monotonic_ms", whole(event.mono_ms)), ("uncertainty_ms", whole(draft.uncertainty_ms))]);
        extensions.set(ext::CLOCK, clock);
        if let Some(role) = draft.actor.as_ref().and_then(|actor| self.role(actor)) {
            extensions.set(ext::ROLE, plain(&role).into());
        }
        extensions.merge(draft.extensions.into_entries());
        context.set("extensions", extensions.into());

        let mut result = draft.result;
        if !draft.result_extensions.is_empty() {
            result.set("extensions", draft.result_extensions.into());
        }
        let verb = object([("id", draft.verb.id.into()), ("display", in_language("en", draft.verb.word))]);
        let mut statement = Object::default();
        statement.set("id", self.names.statement(event.seq, &draft.part).to_string().into());
        statement.set("actor", self.agent_or_server(draft.actor.as_ref()));
        statement.set("verb", verb);
        statement.set("object", draft.object);
        if !result.is_empty() {
            statement.set("result", result.into());
        }
        statement.set("context", context.into());
        statement.set("timestamp", moment(event.at));
        statement.into()
    }

    /// What the object belongs to, and which profiles the statement follows.
    fn around(&self, about: &Json, parent: Option<Json>) -> Json {
        let mut around = Object::default();
        let room = self.room();
        match parent {
            Some(parent) => {
                around.set("parent", list([parent]));
                around.set("grouping", list([room]));
            }
            None if about.get_str("id") != room.get_str("id") => around.set("parent", list([room])),
            None => {}
        }
        let profile = |id: &str| {
            let definition = object([("type", iri::PROFILE.into())]);
            object([("objectType", "Activity".into()), ("id", id.into()), ("definition", definition)])
        };
        around.set("category", list([profile(iri::VIRTUAL_CLASSROOM), profile(iri::VERSION)]));
        around.into()
    }
}

/// What statements call this software.
const PLATFORM: &str = "Lyceum";
/// Most people named as those who teach.
const MOST_HOSTS: usize = 20;

/// Recorders, bridges and hidden people are no part of what is told.
fn is_told_of(known: &Participant) -> bool {
    !known.profile.permission.hidden && matches!(known.profile.kind, Kind::Standard | Kind::Sip)
}

/// How the log writes one of a few words.
fn plain(word: &impl serde::Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The first and the last statement of a session, and what is said of it meanwhile, have these verbs.
const BEGINS: Verb = verbs::INITIALIZED;
const ENDS: Verb = verbs::TERMINATED;

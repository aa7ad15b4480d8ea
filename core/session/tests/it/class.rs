//! A class for stories: people do things at a moment of their own clock, and the log grows.

use lyceum_session::*;
use std::collections::BTreeMap;

pub const START: UnixMs = UnixMs(1_700_000_000_000);
pub const GRACE_MS: u64 = 60_000;
pub const EMPTY_MS: u64 = 300_000;
pub const DEPARTURE_MS: u64 = 120_000;
pub const WINDOW_MS: u64 = 20_000;

/// One session with its log. Time moves only by `wait`.
pub struct Class {
    pub state: State,
    pub log: Vec<Event>,
    pub now: UnixMs,
}

impl Class {
    pub fn starts() -> Self {
        Self::starts_with(policy())
    }

    pub fn starts_with(policy: Policy) -> Self {
        let mut class = Self { state: State::default(), log: Vec::new(), now: START };
        class.must(start(policy));
        class
    }

    /// Issues a command as the server.
    pub fn does(&mut self, command: Command) -> Result<Vec<Event>, Reject> {
        self.does_as(None, command)
    }

    pub fn does_as(&mut self, actor: Option<PersonId>, command: Command) -> Result<Vec<Event>, Reject> {
        let ctx = Ctx { now: self.now, actor, ..Ctx::default() };
        let facts = decide(&self.state, &command, &ctx)?;
        let events = self.state.stamp(facts, &ctx);
        for event in &events {
            apply(&mut self.state, event);
        }
        self.log.extend(events.iter().cloned());
        Ok(events)
    }

    #[track_caller]
    pub fn must(&mut self, command: Command) -> Vec<Event> {
        self.does(command).expect("the command is accepted")
    }

    pub fn wait(&mut self, duration_ms: u64) {
        self.now = self.now.plus(duration_ms);
        self.must(Command::Tick);
    }

    #[track_caller]
    pub fn arrives(&mut self, person: &str, connection: &str) -> Vec<Event> {
        self.must(attach(person, profile(person), connection))
    }

    #[track_caller]
    pub fn loses_network(&mut self, connection: &str, last_seen: UnixMs) -> Vec<Event> {
        self.must(lost(connection, last_seen))
    }

    #[track_caller]
    pub fn leaves(&mut self, connection: &str) -> Vec<Event> {
        self.must(Command::Leave { connection: connection.into() })
    }

    #[track_caller]
    pub fn publishes(&mut self, person: &str, connection: &str, track: &str, source: Source) -> Vec<Event> {
        self.must(publish(person, connection, track, source))
    }

    #[track_caller]
    pub fn moves(&mut self, persons: &[&str], space: &str) -> Vec<Event> {
        let persons = persons.iter().map(|person| PersonId::from(*person)).collect();
        self.must(Command::Move { persons, space: space.into() })
    }

    #[track_caller]
    pub fn resumes(&mut self, person: &str, connection: &str) -> Vec<Event> {
        self.must(Command::Resume { person: person.into(), connection: connection.into() })
    }

    pub fn space(&self, person: &str) -> &str {
        &self.state.participants[&PersonId::from(person)].space.0
    }

    pub fn presence(&self, person: &str) -> Presence {
        self.state.participants[&PersonId::from(person)].presence
    }

    pub fn profile(&self, person: &str) -> &Profile {
        &self.state.participants[&PersonId::from(person)].profile
    }
}

/// The kinds of events in order, as the log names them.
pub fn kinds(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| serde_json::to_value(event).expect("an event is JSON")["type"].as_str().expect("named").to_owned())
        .collect()
}

pub fn policy() -> Policy {
    Policy {
        max_participants: 0,
        presence_grace_ms: GRACE_MS,
        empty_timeout_ms: EMPTY_MS,
        departure_timeout_ms: DEPARTURE_MS,
        max_tracks_per_connection: 8,
        resume_window_ms: 0,
    }
}

/// With time to resume a lost connection.
pub fn patient() -> Policy {
    Policy { resume_window_ms: WINDOW_MS, ..policy() }
}

pub fn profile(name: &str) -> Profile {
    Profile {
        name: name.into(),
        metadata: Text::default(),
        attributes: BTreeMap::new(),
        role: Role::Learner,
        kind: Kind::Standard,
        permission: Permission {
            can_publish: true,
            can_subscribe: true,
            can_publish_data: true,
            can_publish_sources: Vec::new(),
            can_update_metadata: true,
            hidden: false,
            recorder: false,
        },
    }
}

pub fn hidden(name: &str) -> Profile {
    let mut profile = profile(name);
    profile.permission.hidden = true;
    profile
}

pub fn start(policy: Policy) -> Command {
    Command::Start {
        tenant: "school".into(),
        room: "physics".into(),
        session: "RM_1".into(),
        policy,
        metadata: String::new(),
    }
}

pub fn attach(person: &str, profile: Profile, connection: &str) -> Command {
    Command::Attach {
        person: person.into(),
        profile,
        connection: connection.into(),
        client: Client::default(),
        space: None,
    }
}

pub fn lost(connection: &str, last_seen: UnixMs) -> Command {
    Command::Detach { connection: connection.into(), reason: DetachReason::ConnectionLost, last_seen }
}

pub fn publish(person: &str, connection: &str, track: &str, source: Source) -> Command {
    let kind = match source {
        Source::Microphone | Source::ScreenShareAudio => MediaKind::Audio,
        _ => MediaKind::Video,
    };
    Command::Publish {
        publication: Publication {
            track: track.into(),
            person: person.into(),
            connection: connection.into(),
            kind,
            source,
            name: format!("{person}'s {track}").as_str().into(),
            muted: false,
            width: 1280,
            height: 720,
            mime_type: "video/VP8".into(),
            simulcast: true,
            layers: vec![Layer { quality: 0, width: 320, height: 180, bitrate_bps: 150_000 }],
            stream: "camera".into(),
            audio_features: vec![1, 3],
            disable_red: false,
            encryption: 0,
        },
    }
}

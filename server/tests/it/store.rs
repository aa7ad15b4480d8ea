//! The store as its callers see it: what was acknowledged is there, in order, after any end; nobody's name is in the files in the
//! clear; and whatever is wrong with the files is said, not guessed.

use lyceum::store::{ERASED, PolicyOverrides, Room, SessionFilter, Store, StoreError};
use lyceum_session::*;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

#[tokio::test]
async fn what_was_appended_is_read_back_after_reopening() {
    let school = School::new();
    let store = school.open();
    let log = class("RM_1", &["Ada Lovelace", "Grace Hopper"]);
    append(&store, "RM_1", &log[..2]).await.unwrap();
    append(&store, "RM_1", &log[2..]).await.unwrap();
    assert_eq!(read(&store, "RM_1").await, log);
    store.close().await;

    let store = school.open();
    assert_eq!(read(&store, "RM_1").await, log);
    assert_eq!(store.head(tenant(), "RM_1".into()).await, Ok(Seq(log.len() as u64)));
    assert_eq!(store.read(tenant(), "RM_1".into(), Seq(3), 2).await.unwrap(), log[2..4]);
    assert_eq!(store.read("other".into(), "RM_1".into(), Seq(1), 10).await, Ok(Vec::new()));
    assert_eq!(store.read(tenant(), "RM_1".into(), Seq(u64::MAX), 10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_log_has_no_gap_and_no_second_end() {
    let school = School::new();
    let store = school.open();
    let mut log = class("RM_1", &["Ada"]);
    append(&store, "RM_1", &log[..1]).await.unwrap();

    let gap = append(&store, "RM_1", &log[2..]).await.unwrap_err();
    assert_eq!(gap, StoreError::BadSeq { session: "RM_1".into(), expected: Seq(2), got: Seq(3) });
    let again = append(&store, "RM_1", &log[..1]).await.unwrap_err();
    assert_eq!(again, StoreError::BadSeq { session: "RM_1".into(), expected: Seq(2), got: Seq(1) });
    let all_or_none = append(&store, "RM_1", &[log[1].clone(), log[1].clone()]).await.unwrap_err();
    assert_eq!(all_or_none, StoreError::BadSeq { session: "RM_1".into(), expected: Seq(3), got: Seq(2) });
    assert_eq!(store.head(tenant(), "RM_1".into()).await, Ok(Seq(1)));

    log.push(event(log.len() as u64 + 1, Fact::SessionEnded { reason: EndReason::Ended }));
    append(&store, "RM_1", &log[1..]).await.unwrap();
    let late = event(log.len() as u64 + 1, Fact::SessionRecovered { last_seen: UnixMs(1) });
    for store in [&store, &{
        store.close().await;
        school.open()
    }] {
        let refused = append(store, "RM_1", std::slice::from_ref(&late)).await;
        assert!(matches!(refused, Err(StoreError::BadAppend { .. } | StoreError::Closed)), "{refused:?}");
    }
}


// ---- helpers -------------------------------------------------------------------------------------------------------

struct School {
    directory: TempDir,
}

impl School {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    fn open(&self) -> Store {
        Store::open(self.data()).unwrap()
    }
}

fn tenant() -> TenantId {
    "school".into()
}

async fn append(store: &Store, session: &str, events: &[Event]) -> Result<(), StoreError> {
    store.append(tenant(), session.into(), events.to_vec()).await
}

async fn read(store: &Store, session: &str) -> Vec<Event> {
    store.read(tenant(), session.into(), Seq(1), usize::MAX).await.unwrap()
}

fn event(seq: u64, fact: Fact) -> Event {
    Event { seq: Seq(seq), at: UnixMs(1_700_000_000_000 + seq), mono_ms: seq, actor: None, fact }
}

/// The log of a class in which these people arrive and publish a microphone.
fn class(session: &str, people: &[&str]) -> Vec<Event> {
    let mut facts = vec![started(session, session)];
    for name in people {
        let person = PersonId(format!("u-{}", facts.len()));
        facts.push(Fact::ParticipantAdmitted { person: person.clone(), profile: profile(name) });
        facts.push(Fact::TrackPublished { publication: microphone(&person, &format!("{name}'s microphone")) });
    }
    (1..).zip(facts).map(|(seq, fact)| event(seq, fact)).collect()
}

fn started(session: &str, room: &str) -> Fact {
    let policy = Policy {
        max_participants: 0,
        presence_grace_ms: 30_000,
        empty_timeout_ms: 300_000,
        departure_timeout_ms: 20_000,
        max_tracks_per_connection: 8,
    };
    Fact::SessionStarted {
        tenant: tenant(),
        room: room.into(),
        session: session.into(),
        policy,
        metadata: String::new(),
    }
}

fn profile(name: &str) -> Profile {
    Profile {
        name: name.into(),
        metadata: format!("{name} likes analytical engines").as_str().into(),
        attributes: BTreeMap::from([("pronouns".to_owned(), format!("{name}: she").as_str().into())]),
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

fn microphone(person: &PersonId, name: &str) -> Publication {
    Publication {
        track: TrackId(format!("TR_{person}")),
        person: person.clone(),
        connection: ConnectionId(format!("PA_{person}")),
        kind: MediaKind::Audio,
        source: Source::Microphone,
        name: name.into(),
        muted: false,
        width: 0,
        height: 0,
        mime_type: "audio/opus".to_owned(),
        simulcast: false,
        layers: Vec::new(),
        stream: "camera".to_owned(),
        audio_features: Vec::new(),
        disable_red: false,
        encryption: 0,
    }
}

//! The store as its callers see it: what was acknowledged is there, in order, after any end; nobody's name is in the files in the
//! clear; and whatever is wrong with the files is said, not guessed.

use futures_util::FutureExt;
use lyceum::store::{ERASED, PolicyOverrides, Room, SessionFilter, Store, StoreError};
use lyceum_session::class::{Answer, SavedDraft, SideWrite};
use lyceum_session::*;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

// ---- the log -------------------------------------------------------------------------------------------------------

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
async fn a_log_has_no_gap_and_nothing_after_its_end() {
    let school = School::new();
    let store = school.open();
    let mut log = class("RM_1", &["Ada"]);
    let bad_seq =
        |expected, got| Err(StoreError::BadSeq { session: "RM_1".into(), expected: Seq(expected), got: Seq(got) });
    append(&store, "RM_1", &log[..1]).await.unwrap();
    assert_eq!(append(&store, "RM_1", &log[2..]).await, bad_seq(2, 3));
    assert_eq!(append(&store, "RM_1", &log[..1]).await, bad_seq(2, 1));
    let second_is_wrong = [log[1].clone(), log[1].clone()];
    assert_eq!(append(&store, "RM_1", &second_is_wrong).await, bad_seq(3, 2));
    assert_eq!(store.head(tenant(), "RM_1".into()).await, Ok(Seq(1)));

    log.push(event(log.len() as u64 + 1, Fact::SessionEnded { reason: EndReason::Ended }));
    append(&store, "RM_1", &log[1..]).await.unwrap();
    let late = [event(log.len() as u64 + 1, Fact::SessionRecovered { last_seen: UnixMs(1) })];
    assert!(matches!(append(&store, "RM_1", &late).await, Err(StoreError::BadAppend { .. })));
    store.close().await;
    let store = school.open();
    assert!(matches!(append(&store, "RM_1", &late).await, Err(StoreError::BadAppend { .. })));
    assert_eq!(read(&store, "RM_1").await, log);
}

#[tokio::test]
async fn a_log_begins_with_its_own_start() {
    let school = School::new();
    let store = school.open();
    let recovered = event(1, Fact::SessionRecovered { last_seen: UnixMs(1) });
    let elsewhere = event(1, started("RM_2", "algebra"));
    for wrong in [recovered, elsewhere] {
        assert!(matches!(append(&store, "RM_1", &[wrong]).await, Err(StoreError::BadAppend { .. })));
    }
    assert_eq!(store.session(tenant(), "RM_1".into()).await, Ok(None));
}

#[tokio::test]
async fn a_room_has_one_live_session_at_a_time() {
    let school = School::new();
    let store = school.open();
    append(&store, "RM_1", &[event(1, started("RM_1", "algebra"))]).await.unwrap();
    let second = [event(1, started("RM_2", "algebra"))];
    let refused = StoreError::RoomHasSession { room: "algebra".into(), session: "RM_1".into() };
    assert_eq!(append(&store, "RM_2", &second).await, Err(refused));

    append(&store, "RM_1", &[event(2, Fact::SessionEnded { reason: EndReason::Departed })]).await.unwrap();
    append(&store, "RM_2", &second).await.unwrap();
}

#[tokio::test]
async fn one_session_that_is_refused_leaves_its_neighbours_in_the_batch_alone() {
    let school = School::new();
    let store = school.open();
    let busy = Busy::hold(&school);
    let good = append(&store, "RM_1", &class("RM_1", &["Ada"]));
    let bad = append(&store, "RM_2", &class("RM_2", &["Bob"])[1..]);
    let also_good = append(&store, "RM_3", &class("RM_3", &["Cleo"]));
    let answers = async { (good.await, bad.await, also_good.await) };
    let answers = tokio::spawn(answers);
    busy.release();
    let (good, bad, also_good) = answers.await.unwrap();
    assert_eq!((good, also_good), (Ok(()), Ok(())));
    assert!(matches!(bad, Err(StoreError::BadSeq { .. })), "{bad:?}");
    assert_eq!(store.stats().commits, 1);
}

// ---- group commit --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn all_that_waits_is_one_transaction() {
    let school = School::new();
    let store = school.open();
    let busy = Busy::hold(&school);
    let appends: Vec<_> = (0..500)
        .flat_map(|class_no| {
            let session = format!("RM_{class_no}");
            let log = class(&session, &["Ada"]);
            // Two appends a session: the calls' order is the order in the log, whoever is waited for first.
            [append(&store, &session, &log[..1]), append(&store, &session, &log[1..])]
        })
        .rev()
        .collect();
    busy.release();
    for append in appends {
        append.await.unwrap();
    }
    let stats = store.stats();
    assert_eq!((stats.commits, stats.events, stats.waiting_bytes), (1, 1500, 0));
    assert_eq!(read(&store, "RM_499").await, class("RM_499", &["Ada"]));
}

#[tokio::test]
async fn a_probe_is_a_write_and_comes_after_all_that_waits() {
    let school = School::new();
    let store = school.open();
    let busy = Busy::hold(&school);
    let log = class("RM_1", &["Ada"]);
    drop(append(&store, "RM_1", &log));
    let mut probe = Box::pin(store.probe());
    assert!(probe.as_mut().now_or_never().is_none());
    busy.release();
    assert_eq!(probe.await, Ok(()));
    assert_eq!(read(&store, "RM_1").await, log);

    let before = school.wal();
    store.probe().await.unwrap();
    assert!(school.wal() > before, "a probe that writes nothing proves nothing");
}

#[tokio::test]
async fn who_never_waits_is_refused_before_memory_runs_out() {
    let school = School::new();
    let store = school.open();
    let busy = Busy::hold(&school);
    let megabyte = "x".repeat(1 << 20);
    let mut accepted = Vec::new();
    let refused = loop {
        let mut start = started(&format!("RM_{}", accepted.len()), &format!("room {}", accepted.len()));
        if let Fact::SessionStarted { metadata, .. } = &mut start {
            metadata.clone_from(&megabyte);
        }
        let mut append = Box::pin(append(&store, &format!("RM_{}", accepted.len()), &[event(1, start)]));
        match append.as_mut().now_or_never() {
            Some(answer) => break answer,
            None => accepted.push(append),
        }
        assert!(accepted.len() < 1000, "the queue has no bound");
    };
    assert_eq!(refused, Err(StoreError::Overloaded));
    assert!(store.ready().now_or_never().is_none(), "a full queue calls itself ready");

    busy.release();
    store.ready().await;
    for append in accepted {
        append.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_in_line_at_the_close_is_stored() {
    let school = School::new();
    let store = school.open();
    let busy = Busy::hold(&school);
    let log = class("RM_1", &["Ada"]);
    drop(append(&store, "RM_1", &log));
    let closed = tokio::spawn({
        let store = store.clone();
        async move { store.close().await }
    });
    busy.release();
    closed.await.unwrap();
    assert_eq!(append(&store, "RM_2", &class("RM_2", &[])).await, Err(StoreError::Closed));
    assert_eq!(store.head(tenant(), "RM_1".into()).await, Err(StoreError::Closed));
    assert_eq!(read(&school.open(), "RM_1").await, log);
}

// ---- persons -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn no_personal_text_is_in_any_file_in_the_clear() {
    let school = School::new();
    let store = school.open();
    append(&store, "RM_1", &class("RM_1", &["Ada Lovelace"])).await.unwrap();
    let secrets = ["Lovelace", "analytical", ": she", "'s microphone"];
    for end in ["open", "closed"] {
        assert!(school.contains(b"participant.admitted"), "{end}: the log is not where this test looks");
        assert!(school.contains(b"pronouns"), "{end}: attribute keys are the application's");
        for secret in secrets {
            assert!(!school.contains(secret.as_bytes()), "{end}: {secret} is in a file");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn an_erased_person_is_unreadable_and_everything_else_stands() {
    let school = School::new();
    let store = school.open();
    let log = class("RM_1", &["Ada", "Grace"]);
    append(&store, "RM_1", &log).await.unwrap();
    let ada = PersonId::from("u-1");
    let key = school.key(&ada);
    assert!(school.contains(&key));

    store.erase_person("other".into(), ada.clone()).await.unwrap();
    assert_eq!(read(&store, "RM_1").await, log, "another tenant's person of the same id");
    store.erase_person(tenant(), ada.clone()).await.unwrap();
    store.erase_person(tenant(), ada.clone()).await.unwrap();
    assert!(!school.contains(&key), "the key is still in a file");

    let mut erased = log.clone();
    for event in &mut erased {
        event.personal_mut(|person, text| {
            if *person == ada {
                *text = ERASED.into();
            }
        });
    }
    assert_ne!(erased, log);
    assert_eq!(read(&store, "RM_1").await, erased);

    // They come back: a new key for the new texts, and none for the old ones.
    let back = event(erased.len() as u64 + 1, Fact::ParticipantUpdated { person: ada, profile: profile("Ada again") });
    append(&store, "RM_1", std::slice::from_ref(&back)).await.unwrap();
    erased.push(back);
    assert_eq!(read(&store, "RM_1").await, erased);
    store.close().await;
    assert_eq!(read(&school.open(), "RM_1").await, erased);
}

#[tokio::test]
async fn a_text_that_was_moved_to_another_place_does_not_open() {
    let school = School::new();
    let store = school.open();
    append(&store, "RM_1", &class("RM_1", &["Ada"])).await.unwrap();
    append(&store, "RM_2", &class("RM_2", &["Bob"])).await.unwrap();
    let moved = "UPDATE events SET event = (SELECT event FROM events WHERE session = 'RM_1' AND seq = 2)
                 WHERE session = 'RM_2' AND seq = 2";
    assert_eq!(school.sql("sessions.sqlite").execute(moved, []), Ok(1));
    assert!(store.read(tenant(), "RM_1".into(), Seq(1), 10).await.is_ok());
    let error = store.read(tenant(), "RM_2".into(), Seq(1), 10).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_log_with_a_hole_is_not_passed_off_as_whole() {
    let school = School::with_a_class().await;
    let hole = "DELETE FROM events WHERE session = 'RM_1' AND seq = 3";
    assert_eq!(school.sql("sessions.sqlite").execute(hole, []), Ok(1));
    let store = school.open();
    let error = store.read(tenant(), "RM_1".into(), Seq(1), 10).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { detail, .. } if detail.contains("event 3")), "{error}");
    assert!(store.read(tenant(), "RM_1".into(), Seq(4), 10).await.is_ok());
}

// ---- sessions, rooms, followers ------------------------------------------------------------------------------------

#[tokio::test]
async fn a_server_that_starts_finds_what_was_live_and_when_it_was_last_seen() {
    let school = School::new();
    let store = school.open();
    for (session, ends) in [("RM_1", false), ("RM_2", true), ("RM_3", false)] {
        let mut log = class(session, &["Ada"]);
        if ends {
            log.push(event(log.len() as u64 + 1, Fact::SessionEnded { reason: EndReason::Ended }));
        }
        append(&store, session, &log).await.unwrap();
    }
    let beat = |sessions: &[&str], at| {
        store.heartbeat(sessions.iter().map(|session| (tenant(), SessionId::from(*session))).collect(), UnixMs(at))
    };
    beat(&["RM_1", "RM_2", "RM_unknown"], 1_800_000_000_000).await.unwrap();
    beat(&["RM_1"], 1_790_000_000_000).await.unwrap();
    store.close().await;

    let found = school.open().live_sessions().await.unwrap();
    let seen: Vec<_> = found.iter().map(|live| (live.session.0.as_str(), live.last_seen)).collect();
    assert_eq!(seen, [("RM_1", UnixMs(1_800_000_000_000)), ("RM_3", class("RM_3", &["Ada"])[2].at)]);
    assert_eq!((found[0].tenant.clone(), found[0].room.clone()), (tenant(), "RM_1".into()));
}

#[tokio::test]
async fn sessions_are_listed_newest_first_in_pages() {
    let school = School::new();
    let store = school.open();
    // Two Rooms in turn; the last session of each is live. Some start at the same moment.
    for n in 1..=9_u64 {
        let (session, room) = (format!("RM_{n}"), if n % 2 == 0 { "even" } else { "odd" });
        let mut log = vec![event(1, started(&session, room))];
        log[0].at = UnixMs(1_000 + n / 3);
        if n < 8 {
            log.push(event(2, Fact::SessionEnded { reason: EndReason::Departed }));
        }
        append(&store, &session, &log).await.unwrap();
    }
    let pages = |room: Option<&str>, live, size| {
        let (store, room) = (store.clone(), room.map(RoomName::from));
        async move {
            let mut filter = SessionFilter { room, live, after: None };
            let mut all = Vec::new();
            loop {
                let page = store.sessions(tenant(), filter.clone(), size).await.unwrap();
                let Some(last) = page.last() else { return all };
                assert!(page.len() <= size);
                filter.after = Some((last.started_at, last.session.clone()));
                all.extend(page.into_iter().map(|row| row.session.0));
            }
        }
    };
    let newest_first: Vec<String> = (1..=9).rev().map(|n| format!("RM_{n}")).collect();
    for size in [1, 2, 100] {
        assert_eq!(pages(None, None, size).await, newest_first);
        assert_eq!(pages(Some("even"), None, size).await, ["RM_8", "RM_6", "RM_4", "RM_2"]);
        assert_eq!(pages(None, Some(true), size).await, ["RM_9", "RM_8"]);
        assert_eq!(pages(Some("odd"), Some(true), size).await, ["RM_9"]);
        assert_eq!(pages(Some("odd"), Some(false), size).await, ["RM_7", "RM_5", "RM_3", "RM_1"]);
        assert_eq!(pages(Some("none"), None, size).await, Vec::<String>::new());
    }
    assert_eq!(store.sessions("other".into(), SessionFilter::default(), 10).await, Ok(Vec::new()));
    let ended = store.session(tenant(), "RM_1".into()).await.unwrap().unwrap();
    assert_eq!(
        (ended.started_at, ended.ended_at, ended.head),
        (UnixMs(1_000), Some(UnixMs(1_700_000_000_002)), Seq(2))
    );
}

#[tokio::test]
async fn a_room_is_kept_with_its_policy_and_first_date() {
    let school = School::new();
    let store = school.open();
    let policy = PolicyOverrides { max_participants: Some(30), ..PolicyOverrides::default() };
    let room = Room { tenant: tenant(), name: "algebra".into(), created_at: UnixMs(5), policy, metadata: "{}".into() };
    assert_eq!(store.upsert_room(room.clone()).await, Ok(room.clone()));
    let changed = Room { created_at: UnixMs(9), metadata: "{\"term\":2}".into(), ..room.clone() };
    let stored = Room { created_at: UnixMs(5), ..changed.clone() };
    assert_eq!(store.upsert_room(changed).await, Ok(stored.clone()));
    let biology = Room { name: "biology".into(), ..room.clone() };
    store.upsert_room(biology.clone()).await.unwrap();
    store.close().await;

    let store = school.open();
    assert_eq!(store.room(tenant(), "algebra".into()).await, Ok(Some(stored.clone())));
    assert_eq!(store.room("other".into(), "algebra".into()).await, Ok(None));
    assert_eq!(store.rooms(tenant(), None, 1).await, Ok(vec![stored.clone()]));
    assert_eq!(store.rooms(tenant(), Some("algebra".into()), 10).await, Ok(vec![biology]));

    let Fact::SessionStarted { policy: server, .. } = started("RM_1", "algebra") else { unreachable!() };
    assert_eq!(stored.policy.over(&server), Policy { max_participants: 30, ..server });
}

#[tokio::test]
async fn a_follower_learns_of_what_is_durable() {
    let school = School::new();
    let store = school.open();
    let log = class("RM_1", &["Ada", "Grace"]);
    append(&store, "RM_1", &log[..2]).await.unwrap();
    let mut follower = store.subscribe(tenant(), "RM_1".into()).await.unwrap();
    let mut stranger = store.subscribe("other".into(), "RM_1".into()).await.unwrap();
    assert_eq!(*follower.borrow_and_update(), Seq(2));
    assert_eq!(*stranger.borrow_and_update(), Seq(0));

    append(&store, "RM_1", &log[2..]).await.unwrap();
    follower.changed().await.unwrap();
    assert_eq!(*follower.borrow_and_update(), Seq(5));
    assert_eq!(store.read(tenant(), "RM_1".into(), Seq(3), 10).await.unwrap(), log[2..]);
    assert!(!stranger.has_changed().unwrap());
}

// ---- what can be wrong with a data directory -----------------------------------------------------------------------

#[tokio::test]
async fn a_data_directory_belongs_to_one_process() {
    let school = School::new();
    let store = school.open();
    let error = refused(&school.data());
    assert!(matches!(&error, StoreError::InUse { holder, .. } if *holder == format!("process {}", std::process::id())));
    store.close().await;
    school.open();
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let school = School::new();
    let missing_parent = school.directory.path().join("no").join("data");
    let a_file = school.directory.path().join("file");
    std::fs::write(&a_file, "").unwrap();
    for path in [missing_parent, a_file] {
        let error = refused(&path);
        assert!(matches!(error, StoreError::Directory { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn only_our_own_user_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let school = School::new();
    let store = school.open();
    append(&store, "RM_1", &class("RM_1", &["Ada"])).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&school.data()), 0o700);
    for file in ["sessions.sqlite", "sessions.sqlite-wal", "keys.sqlite", "keys.sqlite-wal"] {
        assert_eq!(mode(&school.data().join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_newer_or_foreign_file_is_refused_and_left_alone() {
    for file in ["sessions.sqlite", "keys.sqlite"] {
        for (change, newer) in [("PRAGMA user_version = 4000", true), ("PRAGMA application_id = 4000", false)] {
            let school = School::with_a_class().await;
            school.sql(file).execute_batch(change).unwrap();
            let before = std::fs::read(school.data().join(file)).unwrap();
            match refused(&school.data()) {
                StoreError::NewerSchema { file: named, found: 4000, .. } if newer => assert_eq!(named, file),
                StoreError::Corrupt { file: named, .. } if !newer => assert_eq!(named, file),
                error => panic!("{file}: {change}: {error}"),
            }
            assert!(std::fs::read(school.data().join(file)).unwrap() == before, "{file} was changed");
        }
    }
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_never_a_panic() {
    for file in ["sessions.sqlite", "keys.sqlite"] {
        let school = School::with_a_class().await;
        std::fs::write(school.data().join(file), "this was a database once\n".repeat(500)).unwrap();
        let error = refused(&school.data());
        assert!(matches!(&error, StoreError::Corrupt { file: named, .. } if *named == file), "{error}");
    }

    // Each page of the file in turn is overwritten: opening or reading says so, or the page was not needed.
    let school = School::with_a_class().await;
    let path = school.data().join("sessions.sqlite");
    let good = std::fs::read(&path).unwrap();
    let mut told = 0;
    for page in 1..good.len() / 4096 {
        let mut damaged = good.clone();
        damaged[page * 4096..][..4096].fill(0xa5);
        std::fs::write(&path, damaged).unwrap();
        let outcome = async {
            let store = Store::open(school.data())?;
            let all = async {
                store.live_sessions().await?;
                store.sessions(tenant(), SessionFilter::default(), 10).await?;
                store.rooms(tenant(), None, 10).await?;
                store.read(tenant(), "RM_1".into(), Seq(1), 100).await?;
                store.append(tenant(), "RM_2".into(), class("RM_2", &["Bob"]), vec![]).await
            };
            let outcome = all.await;
            store.close().await;
            outcome
        };
        if let Err(error) = outcome.await {
            assert!(matches!(error, StoreError::Corrupt { .. }), "page {page}: {error}");
            told += 1;
        }
    }
    assert!(told >= 5, "{told} damaged pages were noticed");
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_refused() {
    let (one, other) = (School::with_a_class().await, School::with_a_class().await);
    let keys = |school: &School| school.data().join("keys.sqlite");
    let sessions = one.data().join("sessions.sqlite");
    std::fs::copy(keys(&one), keys(&other)).unwrap();
    assert!(matches!(refused(&other.data()), StoreError::Mismatch { .. }));
    std::fs::remove_file(keys(&other)).unwrap();
    assert!(matches!(refused(&other.data()), StoreError::Mismatch { .. }));
    std::fs::remove_file(sessions).unwrap();
    assert!(matches!(refused(&one.data()), StoreError::Mismatch { .. }));
}

/// Data directories as each earlier version left them: `sqlite3 FILE .dump` of both files after a clean stop, and the two
/// pragmas that a dump leaves out. In each, Ada and an erased person were in class `RM_1`, which was live.
const EARLIER: [(&str, &str); 2] = [
    (include_str!("store/v1-sessions.sql"), include_str!("store/v1-keys.sql")),
    // Both have a draft of the same poll, which has two ballots.
    (include_str!("store/v2-sessions.sql"), include_str!("store/v1-keys.sql")),
];

#[tokio::test]
async fn a_data_directory_of_every_version_is_read_and_goes_on() {
    let mut versions = BTreeSet::new();
    for (sessions, keys) in EARLIER {
        let school = School::new();
        std::fs::create_dir(school.data()).unwrap();
        school.sql("sessions.sqlite").execute_batch(sessions).unwrap();
        school.sql("keys.sqlite").execute_batch(keys).unwrap();
        let version = school.version("sessions.sqlite");
        versions.insert((version, school.version("keys.sqlite")));

        let store = school.open();
        let mut log = class("RM_1", &["Ada", "Grace"]);
        for event in &mut log {
            event.personal_mut(|person, text| {
                if *person == PersonId::from("u-3") {
                    *text = ERASED.into();
                }
            });
        }
        assert_eq!(read(&store, "RM_1").await, log);
        let live = store.live_sessions().await.unwrap();
        assert_eq!(live.iter().map(|live| live.last_seen).collect::<Vec<_>>(), [UnixMs(1_700_000_060_000)]);
        let room = store.room(tenant(), "RM_1".into()).await.unwrap().unwrap();
        assert_eq!((room.policy.max_participants, room.created_at), (Some(30), UnixMs(1_700_000_000_000)));
        let next = event(6, Fact::ParticipantUpdated { person: "u-1".into(), profile: profile("Ada, later") });
        append(&store, "RM_1", std::slice::from_ref(&next)).await.unwrap();
        log.push(next);
        assert_eq!(read(&store, "RM_1").await, log);

        let draft = |who: &str, at: u64, text: &str| {
            let answers = vec![Some(Answer::Text { text: text.into() }), None];
            SideWrite::Draft { poll: Seq(5), person: who.into(), draft: SavedDraft { answers, at: UnixMs(at) } }
        };
        let ballot = |number| SideWrite::Ballot { poll: Seq(5), answers: vec![Some(Answer::Number { number })] };
        let mut side = match version {
            1 => vec![],
            _ => vec![
                draft("u-1", 1_700_000_000_006, "Ada's first thought"),
                draft("u-3", 1_700_000_000_007, ERASED),
                ballot(5),
                ballot(7),
            ],
        };
        assert_eq!(store.side(tenant(), "RM_1".into()).await.unwrap(), side);
        let newer = draft("u-0", 1_700_000_000_008, "new");
        store.append(tenant(), "RM_1".into(), vec![], vec![newer.clone()]).await.unwrap();
        side.insert(0, newer);
        assert_eq!(store.side(tenant(), "RM_1".into()).await.unwrap(), side);
        store.close().await;
    }
    let school = School::with_a_class().await;
    for (file, seen) in [
        ("sessions.sqlite", versions.iter().map(|(sessions, _)| *sessions).collect::<BTreeSet<_>>()),
        ("keys.sqlite", versions.iter().map(|(_, keys)| *keys).collect()),
    ] {
        assert_eq!(seen, (1..=school.version(file)).collect(), "{file}: a version has no data directory in this test");
    }
}

// ---- helpers -------------------------------------------------------------------------------------------------------

pub struct School {
    directory: TempDir,
}

impl School {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A data directory in which a class was held, closed.
    async fn with_a_class() -> Self {
        let school = Self::new();
        let store = school.open();
        append(&store, "RM_1", &class("RM_1", &["Ada", "Grace"])).await.unwrap();
        store.close().await;
        school
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn open(&self) -> Store {
        Store::open(self.data()).unwrap()
    }

    /// Bytes in the write-ahead log of sessions.
    fn wal(&self) -> u64 {
        std::fs::metadata(self.data().join("sessions.sqlite-wal")).unwrap().len()
    }

    /// A way around the store, into one of its files.
    pub fn sql(&self, file: &str) -> Connection {
        Connection::open(self.data().join(file)).unwrap()
    }

    fn version(&self, file: &str) -> u32 {
        self.sql(file).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    fn key(&self, person: &PersonId) -> Vec<u8> {
        let key = "SELECT key FROM person_keys WHERE tenant = ? AND person = ?";
        self.sql("keys.sqlite").query_row(key, [&tenant().0, &person.0], |row| row.get(0)).unwrap()
    }

    /// Whether any file of the data directory has these bytes anywhere.
    pub fn contains(&self, bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(self.data()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
    }
}

/// Keeps the writer from beginning a transaction, as a slow disk would, so that a test decides what waits.
pub struct Busy(Connection);

impl Busy {
    pub fn hold(school: &School) -> Self {
        let conn = school.sql("sessions.sqlite");
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(conn)
    }

    pub fn release(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

fn refused(directory: &Path) -> StoreError {
    match Store::open(directory) {
        Ok(_) => panic!("the store opened"),
        Err(error) => error,
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub fn tenant() -> TenantId {
    "school".into()
}

/// In line as soon as this returns.
pub fn append(
    store: &Store,
    session: &str,
    events: &[Event],
) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
    store.append(tenant(), session.into(), events.to_vec(), vec![])
}

pub async fn read(store: &Store, session: &str) -> Vec<Event> {
    store.read(tenant(), session.into(), Seq(1), usize::MAX).await.unwrap()
}

pub fn event(seq: u64, fact: Fact) -> Event {
    Event { seq: Seq(seq), at: UnixMs(1_700_000_000_000 + seq), mono_ms: seq, actor: None, cause: None, fact }
}

/// The log of a class in which these people arrive and publish a microphone.
fn class(session: &str, people: &[&str]) -> Vec<Event> {
    let mut facts = vec![started(session, session)];
    for name in people {
        let person = PersonId(format!("u-{}", facts.len()));
        facts.push(Fact::ParticipantAdmitted {
            person: person.clone(),
            profile: profile(name),
            space: Default::default(),
        });
        facts.push(Fact::TrackPublished { publication: microphone(&person, &format!("{name}'s microphone")) });
    }
    (1..).zip(facts).map(|(seq, fact)| event(seq, fact)).collect()
}

pub fn started(session: &str, room: &str) -> Fact {
    let policy = Policy {
        max_participants: 0,
        presence_grace_ms: 30_000,
        empty_timeout_ms: 300_000,
        departure_timeout_ms: 20_000,
        max_tracks_per_connection: 8,
        resume_window_ms: 0,
    };
    Fact::SessionStarted {
        tenant: tenant(),
        room: room.into(),
        session: session.into(),
        policy,
        metadata: String::new(),
    }
}

pub fn profile(name: &str) -> Profile {
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

//! What lies beside a log: drafts of answers, private and overwritten, and the ballots of anonymous polls, which tell what was
//! chosen and by nothing whose they are.

use crate::store::*;
use lyceum::store::{ERASED, Store, StoreError};
use lyceum_session::class::*;
use lyceum_session::*;

const POLL: u64 = 2;

#[tokio::test]
async fn drafts_and_ballots_are_read_back_after_reopening() {
    let school = School::new();
    let store = school.open();
    let log = anonymous_poll(&["u-1", "u-2", "u-3"]);
    append(&store, "RM_1", &log[..3]).await.unwrap();
    let early = draft(POLL, "u-9", 1, "first thought");
    let late = draft(POLL, "u-9", 2, "second thought");
    let other = draft(POLL, "u-1", 3, "");
    save(&store, &[early]).await.unwrap();
    save(&store, &[late.clone(), other.clone()]).await.unwrap();
    beside(&store, "RM_1", &log[3..], &[ballot(POLL, 7), ballot(POLL, 5), ballot(POLL, 7)]).await.unwrap();
    // The answer of u-1 came in this call too: a draft that is not in it is of no use any more.
    let all = vec![late, ballot(POLL, 5), ballot(POLL, 7), ballot(POLL, 7)];
    assert_eq!(side(&store, "RM_1").await, all);
    store.close().await;

    let store = school.open();
    assert_eq!(side(&store, "RM_1").await, all);
    assert_eq!(side(&store, "RM_2").await, []);
    assert_eq!(store.side("other".into(), "RM_1".into()).await, Ok(vec![]));
    assert_eq!(read(&store, "RM_1").await, log);
}

#[tokio::test]
async fn a_draft_goes_with_the_answer_and_with_the_end_of_its_poll() {
    let school = School::new();
    let store = school.open();
    append(&store, "RM_1", &anonymous_poll(&[])).await.unwrap();
    let drafts: Vec<_> =
        [(2, "u-1"), (2, "u-2"), (3, "u-1"), (3, "u-2")].map(|(poll, who)| draft(poll, who, 1, "why")).into();
    save(&store, &drafts).await.unwrap();
    append(&store, "RM_1", &[event(4, responded("u-1", Some(vec![])))]).await.unwrap();
    assert_eq!(side(&store, "RM_1").await, drafts[1..]);
    append(&store, "RM_1", &[event(5, closed())]).await.unwrap();
    assert_eq!(side(&store, "RM_1").await, drafts[2..]);

    // In one call, a draft counts as saved after an answer, and not after a close.
    let again = draft(3, "u-1", 9, "second thoughts");
    let too_late = draft(POLL, "u-1", 9, "too late");
    let events = [event(6, poll_fact(3, "u-1")), event(7, closed())];
    beside(&store, "RM_1", &events, &[again.clone(), too_late]).await.unwrap();
    assert_eq!(side(&store, "RM_1").await, [again, drafts[3].clone()]);
}

#[tokio::test]
async fn no_text_of_a_draft_is_in_any_file_in_the_clear_and_erasing_its_person_erases_it() {
    let school = School::new();
    let store = school.open();
    append(&store, "RM_1", &anonymous_poll(&[])).await.unwrap();
    save(&store, &[draft(POLL, "u-1", 1, "photosynthesis"), draft(POLL, "u-2", 1, "mitochondria")]).await.unwrap();
    assert!(school.contains(b"\"kind\":\"text\""), "the drafts are not where this test looks");
    for word in ["photosynthesis", "mitochondria"] {
        assert!(!school.contains(word.as_bytes()), "{word} is in a file");
    }
    store.erase_person(tenant(), "u-1".into()).await.unwrap();
    let left = [draft(POLL, "u-1", 1, ERASED), draft(POLL, "u-2", 1, "mitochondria")];
    assert_eq!(side(&store, "RM_1").await, left);
    save(&store, &[draft(POLL, "u-1", 2, "chlorophyll")]).await.unwrap();
    store.close().await;
    for word in ["photosynthesis", "mitochondria", "chlorophyll"] {
        assert!(!school.contains(word.as_bytes()), "{word} is in a file");
    }
    let store = school.open();
    assert_eq!(side(&store, "RM_1").await, [draft(POLL, "u-1", 2, "chlorophyll"), left[1].clone()]);
}

#[tokio::test]
async fn a_draft_that_was_moved_to_another_poll_or_into_the_log_does_not_open() {
    let school = School::new();
    let store = school.open();
    append(&store, "RM_1", &anonymous_poll(&[])).await.unwrap();
    save(&store, &[draft(POLL, "u-1", 1, "mine")]).await.unwrap();
    assert_eq!(school.sql("sessions.sqlite").execute("UPDATE drafts SET poll = 3", []), Ok(1));
    let error = store.side(tenant(), "RM_1".into()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { detail, .. } if detail.contains("a draft of poll 3")), "{error}");
}

#[tokio::test]
async fn what_does_not_belong_beside_the_log_is_refused() {
    let school = School::new();
    let store = school.open();
    let bad = |problem| Err(StoreError::BadAppend { session: "RM_1".into(), problem });
    let not_there = bad("a draft or a ballot is of a poll that the log does not have");
    assert_eq!(save(&store, &[draft(POLL, "u-1", 1, "early")]).await, not_there);
    append(&store, "RM_1", &anonymous_poll(&[])).await.unwrap();
    assert_eq!(save(&store, &[draft(4, "u-1", 1, "another poll's")]).await, not_there);
    let unmatched = bad("there must be one ballot for each anonymous answer");
    let answer = [event(4, responded("u-1", None))];
    assert_eq!(save(&store, &[ballot(POLL, 1)]).await, unmatched);
    assert_eq!(beside(&store, "RM_1", &answer, &[]).await, unmatched);
    assert_eq!(beside(&store, "RM_1", &answer, &[ballot(POLL, 1), ballot(POLL, 2)]).await, unmatched);
    assert_eq!(beside(&store, "RM_1", &answer, &[ballot(3, 1)]).await, unmatched);
    assert_eq!(side(&store, "RM_1").await, []);
    assert_eq!(store.head(tenant(), "RM_1".into()).await, Ok(Seq(3)));

    assert_eq!(beside(&store, "RM_1", &[], &[]).await, Ok(()));
    beside(&store, "RM_1", &answer, &[ballot(POLL, 1)]).await.unwrap();
    append(&store, "RM_1", &[event(5, Fact::SessionEnded { reason: EndReason::Ended })]).await.unwrap();
    assert_eq!(save(&store, &[draft(POLL, "u-1", 1, "late")]).await, bad("the session has ended"));
    assert_eq!(side(&store, "RM_1").await, [ballot(POLL, 1)], "ballots are results, and outlive the class");
}

#[tokio::test]
async fn a_ballot_is_refused_with_its_event_and_stored_with_it() {
    let school = School::new();
    let store = school.open();
    let log = anonymous_poll(&["u-1", "u-2"]);
    append(&store, "RM_1", &log[..3]).await.unwrap();
    let gap = beside(&store, "RM_1", &log[4..], &[ballot(POLL, 1)]).await;
    assert!(matches!(gap, Err(StoreError::BadSeq { .. })), "{gap:?}");
    assert_eq!(side(&store, "RM_1").await, []);
    let busy = Busy::hold(&school);
    let first = beside(&store, "RM_1", &log[3..4], &[ballot(POLL, 2)]);
    let second = beside(&store, "RM_1", &log[4..], &[ballot(POLL, 1)]);
    let saved = save(&store, &[draft(3, "u-1", 1, "meanwhile")]);
    busy.release();
    assert_eq!((second.await, first.await, saved.await), (Ok(()), Ok(()), Ok(())));
    assert_eq!(side(&store, "RM_1").await, [draft(3, "u-1", 1, "meanwhile"), ballot(POLL, 1), ballot(POLL, 2)]);
}

/// The columns and the order of rows tell nothing while the poll is open, and after its close the bytes of the files tell nothing
/// either.
#[tokio::test]
async fn nothing_says_whose_a_ballot_is() {
    let school = School::new();
    let store = school.open();
    // In the order in which they come, and nothing like sorted.
    let chosen: Vec<i64> = (0..20).map(|n| 100_001 + (n * 7 + 3) % 20).collect();
    let people: Vec<String> = (0..20).map(|n| format!("u-{n:02}")).collect();
    let log = anonymous_poll(&people.iter().map(String::as_str).collect::<Vec<_>>());
    append(&store, "RM_1", &log[..3]).await.unwrap();
    for (event, chosen) in log[3..].iter().zip(&chosen) {
        beside(&store, "RM_1", std::slice::from_ref(event), &[ballot(POLL, *chosen)]).await.unwrap();
    }
    let mut sorted = chosen.clone();
    sorted.sort_unstable();
    let read: Vec<SideWrite> = sorted.iter().map(|chosen| ballot(POLL, *chosen)).collect();
    assert_eq!(side(&store, "RM_1").await, read);

    let columns = |conn: &rusqlite::Connection| {
        let mut query = conn.prepare("SELECT name FROM pragma_table_info('ballots')").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap()
    };
    let conn = school.sql("sessions.sqlite");
    assert_eq!(columns(&conn), ["tenant", "session", "poll", "id", "answers"]);
    assert!(conn.prepare("SELECT rowid FROM ballots").is_err(), "rows are numbered as they come");
    let in_table = |conn: &rusqlite::Connection| -> Vec<(Vec<u8>, String)> {
        let mut query = conn.prepare("SELECT id, answers FROM ballots").unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let open = in_table(&conn);
    let order: Vec<&str> = open.iter().map(|(_, answers)| answers.as_str()).collect();
    let came: Vec<String> = chosen.iter().map(|chosen| json(*chosen)).collect();
    assert_ne!(order, came, "one run in 20! has this order by chance");
    assert!(open.iter().all(|(id, answers)| id.len() == 16 && !answers.contains("u-")));

    append(&store, "RM_1", &[event(log.len() as u64 + 1, closed())]).await.unwrap();
    assert_eq!(side(&store, "RM_1").await, read);
    let mixed = in_table(&conn);
    assert!(mixed.iter().all(|(id, _)| open.iter().all(|(before, _)| before != id)), "an id was kept");
    drop(conn);
    // The next batch at the latest finds no reader in the write-ahead log.
    store.probe().await.unwrap();
    store.close().await;
    // Where a row lies in its page: later rows lie before earlier ones.
    let file = std::fs::read(school.data().join("sessions.sqlite")).unwrap();
    let places: Vec<Vec<usize>> = sorted.iter().map(|chosen| places(&file, json(*chosen).as_bytes())).collect();
    assert!(places.iter().all(|places| places.len() == 1), "each ballot is in the file once: {places:?}");
    assert!(
        places.is_sorted_by(|one, next| one > next),
        "the order of the rows in the page is not that of the choices"
    );
}

/// While the store is open, the write-ahead log has no trace of a ballot after its poll was closed.
#[tokio::test]
async fn the_write_ahead_log_is_emptied_after_a_secret_poll() {
    let school = School::new();
    let store = school.open();
    let log = anonymous_poll(&["u-1"]);
    append(&store, "RM_1", &log[..3]).await.unwrap();
    beside(&store, "RM_1", &log[3..], &[ballot(POLL, 123_456)]).await.unwrap();
    let wal = || std::fs::read(school.data().join("sessions.sqlite-wal")).unwrap();
    assert_eq!(places(&wal(), b"123456").len(), 1);
    append(&store, "RM_1", &[event(5, closed())]).await.unwrap();
    // Emptied after the answer: what is in line next waits for it.
    store.erase_person(tenant(), "nobody".into()).await.unwrap();
    assert_eq!(places(&wal(), b"123456").len(), 0);
    assert_eq!(side(&store, "RM_1").await, [ballot(POLL, 123_456)]);
}

// ---- helpers -------------------------------------------------------------------------------------------------------

/// A log with a poll at 2 that is open from 3 on, and that these people answer without their names.
fn anonymous_poll(people: &[&str]) -> Vec<Event> {
    let text = Item { kind: ItemKind::LongText, text: "Why?".into(), options: vec![], key: None, points: 0 };
    let spec = PollSpec {
        mode: PollMode::Survey,
        title: "Exit ticket".into(),
        items: vec![text],
        anonymity: Anonymity::Anonymous,
        allow_change: false,
        keep_late: false,
        grace_ms: 0,
        drafts: DraftPolicy::Discard,
        live_results: false,
        roles: vec![Role::Learner],
    };
    let opened = ClassFact::PollOpened {
        poll: Seq(POLL),
        target: Target::Session,
        eligible: people.iter().map(|person| PersonId::from(*person)).collect(),
        closes_at: None,
    };
    let facts =
        [started("RM_1", "RM_1"), Fact::Class(ClassFact::ActivityCreated { author: None, spec }), Fact::Class(opened)];
    let facts = facts.into_iter().chain(people.iter().map(|person| responded(person, None)));
    (1..).zip(facts).map(|(seq, fact)| event(seq, fact)).collect()
}

fn responded(person: &str, answers: Option<Answers>) -> Fact {
    Fact::Class(ClassFact::PollResponded { poll: Seq(POLL), person: person.into(), answers, late: false })
}

fn poll_fact(poll: u64, person: &str) -> Fact {
    let answers = Some(vec![None]);
    Fact::Class(ClassFact::PollResponded { poll: Seq(poll), person: person.into(), answers, late: false })
}

fn closed() -> Fact {
    Fact::Class(ClassFact::PollClosed {
        poll: Seq(POLL),
        tally: None,
        counted: 0,
        eligible: 0,
        submitted: vec![],
        kept: vec![],
        discarded: vec![],
    })
}

fn draft(poll: u64, person: &str, at: u64, text: &str) -> SideWrite {
    let answers = vec![Some(Answer::Text { text: text.into() }), None];
    SideWrite::Draft { poll: Seq(poll), person: person.into(), draft: SavedDraft { answers, at: UnixMs(at) } }
}

fn ballot(poll: u64, number: i64) -> SideWrite {
    SideWrite::Ballot { poll: Seq(poll), answers: vec![Some(Answer::Number { number })] }
}

fn json(number: i64) -> String {
    serde_json::to_string(&vec![Answer::Number { number }]).unwrap()
}

fn save(store: &Store, drafts: &[SideWrite]) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
    beside(store, "RM_1", &[], drafts)
}

fn beside(
    store: &Store,
    session: &str,
    events: &[Event],
    side: &[SideWrite],
) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
    store.append(tenant(), session.into(), events.to_vec(), side.to_vec())
}

async fn side(store: &Store, session: &str) -> Vec<SideWrite> {
    store.side(tenant(), session.into()).await.unwrap()
}

/// Where these bytes begin.
fn places(file: &[u8], bytes: &[u8]) -> Vec<usize> {
    let windows = file.windows(bytes.len()).enumerate();
    windows.filter(|(_, window)| *window == bytes).map(|(at, _)| at).collect()
}

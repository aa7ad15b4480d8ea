//! Documents over the state socket: updates from one to another, what is refused, what ends a document, and what ill-meaning clients
//! do to it.

use crate::classroom::{Device, as_role, key};
use crate::documents::{hears, open_at, says};
use crate::harness::*;
use lyceum_documents::{Message as Said, write_named};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

const BOARD: &str = "board:main:blank:1";

#[tokio::test]
async fn what_one_draws_the_others_see_whatever_their_client_is() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    teacher.opens(BOARD).await;
    ann.opens(BOARD).await;
    let mut stock = open_at(at, BOARD, &as_role("maths", "teacher", "instructor")).await.unwrap();
    says(&mut stock, Said::Step1(&[0])).await;
    assert_eq!(hears(&mut stock).await, Said::Step1(&[0]).write().to_vec());
    assert_eq!(hears(&mut stock).await, Said::Step2(&[0, 0]).write().to_vec());

    // From here to all.
    let line = drawn(7, 0, "a");
    teacher.says_of(BOARD, Said::Update(&line)).await;
    assert_eq!(ack(&teacher.hears_of(BOARD).await), Some(1));
    assert_eq!(ann.hears_of(BOARD).await, Said::Update(&line).write().to_vec());
    assert_eq!(hears(&mut stock).await, Said::Update(&line).write().to_vec());
    // From a stock provider to all.
    let other = drawn(8, 0, "b");
    says(&mut stock, Said::Update(&other)).await;
    for device in [&mut teacher, &mut ann] {
        assert_eq!(device.hears_of(BOARD).await, Said::Update(&other).write().to_vec());
    }
    // Where the teacher points.
    let pointer = b"\x01\x07\x01\x07{\"x\":1}";
    teacher.says_of(BOARD, Said::Awareness(pointer)).await;
    let pointed = ann.hears_of(BOARD).await;
    assert!(matches!(Said::read(&pointed), Ok(Said::Awareness(states)) if states.ends_with(b"{\"x\":1}")));
    // Other documents are others.
    teacher.opens("notes:main").await;

    let pulse = teacher.hears("pulse").await;
    let of_board = json!({"seq": 2, "hash": hash("7=1;8=1;")});
    assert_eq!(pulse["docs"], json!({BOARD: of_board, "notes:main": {"seq": 0, "hash": hash("")}}));
    assert_eq!(ann.hears("pulse").await["docs"], json!({BOARD: of_board}));
    ann.says(json!({"t": "doc_close", "doc": BOARD})).await;
    assert_eq!(ann.hears("pulse").await.get("docs"), None);
    running.metric_becomes("lyceum_document_clients", 3.0).await;
    ann.opens_having(BOARD, &[7, 8]).await;
    ann.vanishes();
    running.metric_becomes("lyceum_document_clients", 3.0).await;
}

#[tokio::test]
async fn what_is_refused_comes_back_with_the_document_as_it_is() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    teacher.opens(BOARD).await;
    teacher.says_of(BOARD, Said::Update(&drawn(7, 0, "a"))).await;
    assert_eq!(ack(&teacher.hears_of(BOARD).await), Some(1));
    teacher.lets(&mut ann, false).await;

    ann.opens_having(BOARD, &[7]).await;
    ann.says_of(BOARD, Said::Update(&drawn(9, 0, "mine"))).await;
    let (code, seq, document) = reset(&ann.hears_of(BOARD).await);
    assert_eq!((code.as_str(), seq), ("forbidden", 1));
    assert_eq!(document, drawn(7, 0, "a"));
    // What crossed the refusal on its way is passed over; then the document is open again.
    ann.says_of(BOARD, Said::Update(&drawn(9, 1, "more"))).await;
    ann.says_of(BOARD, Said::AwarenessQuery).await;
    ann.opens_having(BOARD, &[7]).await;

    // With the right, it is taken; without it again, that is nobody's fault.
    teacher.lets(&mut ann, true).await;
    ann.says_of(BOARD, Said::Update(&drawn(10, 0, "mine"))).await;
    assert_eq!(ack(&ann.hears_of(BOARD).await), Some(2));
    teacher.lets(&mut ann, false).await;
    ann.says_of(BOARD, Said::Update(&drawn(10, 1, "more"))).await;
    assert_eq!(reset(&ann.hears_of(BOARD).await).0, "stale_grant");
    ann.opens_having(BOARD, &[7, 10]).await;
    assert_eq!(running.metric("lyceum_document_updates_total").await, 2.0);
}

#[tokio::test]
async fn a_document_is_closed_for_who_moves_away_and_the_socket_stays() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    ann.opens(BOARD).await;
    let plan = json!({"mode": "manual", "seed": 1, "groups": [{"space": "group A", "persons": ["ann"]}]});
    assert_eq!(teacher.commands("breakouts.plan", plan).await["status"], "accepted");
    let rev = teacher.view[&key("breakouts", "")]["rev"].clone();
    let opened = teacher.commands_with("breakouts.open", json!({}), json!({"expect": rev})).await;
    assert_eq!(opened["status"], "accepted", "{opened}");
    running.metric_becomes("lyceum_document_clients", 0.0).await;
    let closed = ann.hears("doc_closed").await;
    assert_eq!(
        (&closed["doc"], &closed["code"], &closed["retry"]),
        (&json!(BOARD), &json!("forbidden"), &json!(false))
    );
    // What was under way is not taken, and the board of the group is another one.
    ann.says_of(BOARD, Said::Update(&drawn(9, 0, "late"))).await;
    ann.opens("board:group A:blank:1").await;
    assert_eq!(ann.commands("hand.raise", json!({})).await["status"], "accepted");

    teacher.commands("participant.remove", json!({"person": "ann"})).await;
    running.metric_becomes("lyceum_document_clients", 0.0).await;
    assert_eq!(ann.is_sent_away().await["code"], "not_admitted");
}

#[tokio::test]
async fn what_cannot_be_opened_is_closed_at_once_with_a_reason() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    for (name, code) in
        [("anything", "not_found"), ("board:main:12:1", "not_found"), ("notes:nowhere", "not_found"), ("", "not_found")]
    {
        teacher.says_of(name, Said::Step1(&[0])).await;
        let closed = teacher.hears("doc_closed").await;
        assert_eq!((&closed["doc"], closed["code"].as_str()), (&json!(name), Some(code)), "{closed}");
        assert_eq!(closed["retry"], false);
        assert!(closed["message"].as_str().unwrap().len() > 10);
    }
    // Sixteen are enough, and so are thirty-two in ten seconds.
    let page = |page: u32| format!("board:main:blank:{page}");
    for number in 1..=16 {
        teacher.opens(&page(number)).await;
    }
    teacher.says_of(&page(17), Said::Step1(&[0])).await;
    assert_eq!(teacher.hears("doc_closed").await["code"], "limit");
    for number in 17..=28 {
        teacher.says(json!({"t": "doc_close", "doc": page(number - 16)})).await;
        teacher.opens(&page(number)).await;
    }
    teacher.says(json!({"t": "doc_close", "doc": page(16)})).await;
    teacher.says_of(&page(29), Said::Step1(&[0])).await;
    let closed = teacher.hears("doc_closed").await;
    assert_eq!((closed["code"].as_str(), closed["retry"].as_bool()), (Some("rate"), Some(true)));
    running.metric_becomes("lyceum_document_clients", 15.0).await;

    // Who waits to be let in sees no board.
    let rev = teacher.view[&key("session", "")]["rev"].clone();
    let patch = json!({"patch": {"lobby": "ask"}});
    teacher.commands_with("policy.set", patch, json!({"expect": rev})).await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    ann.says_of(BOARD, Said::Step1(&[0])).await;
    assert_eq!(ann.hears("doc_closed").await["code"], "forbidden");
}

#[tokio::test]
async fn what_hostile_clients_do_to_documents_costs_them_alone() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut eve = Device::enters(at, "maths", "eve", "instructor").await;
    teacher.opens(BOARD).await;
    // No message of a document at all.
    for garbage in [&b""[..], b"\xff\xff", b"\x01\xff\x00", b"\x01a", b"\x01a\x09", &long_name()[..]] {
        eve.sends(Message::binary(garbage.to_vec())).await;
        assert_eq!(eve.hears("error").await["code"], "invalid", "{garbage:?}");
    }
    // No message of y-protocols, of a document that is open.
    eve.opens(BOARD).await;
    eve.sends(Message::binary(write_named(BOARD, b"\x00\x07\x00"))).await;
    let closed = eve.hears("doc_closed").await;
    assert_eq!((closed["code"].as_str(), closed["retry"].as_bool()), (Some("invalid"), Some(false)));
    // An update above the limit, and one that no Yjs client writes.
    for (update, code) in [(vec![0; (1 << 20) + 1], "too_large"), (vec![0xff; 9], "malformed")] {
        eve.opens(BOARD).await;
        eve.says_of(BOARD, Said::Update(&update)).await;
        assert_eq!(reset(&eve.hears_of(BOARD).await).0, code);
    }
    // A flood.
    eve.opens(BOARD).await;
    for clock in 0..300 {
        eve.says_of(BOARD, Said::Update(&drawn(66, clock, &format!("flood {clock}")))).await;
    }
    let closed = eve.hears("doc_closed").await;
    assert_eq!((closed["code"].as_str(), closed["retry"].as_bool()), (Some("rate"), Some(true)));
    assert_eq!(eve.commands("hand.raise", json!({})).await["status"], "accepted", "the socket stays");
    // Larger than anything may be.
    eve.sends(Message::binary(vec![0; (2 << 20) + 100])).await;
    assert_eq!(eve.is_closed_with().await, Some(1009));

    // The teacher was not disturbed, and has what eve had the right to draw.
    let mut seen = 0;
    while seen < 200 {
        let frame = teacher.hears_of(BOARD).await;
        assert!(matches!(Said::read(&frame), Ok(Said::Update(_))), "{frame:?}");
        seen += 1;
    }
    for counter in ["lyceum_session_panics_total", "lyceum_http_handler_panics_total"] {
        assert_eq!(running.metric(counter).await, 0.0, "{counter}");
    }
}

#[tokio::test]
async fn inv_14_after_the_ack_of_a_revocation_nothing_of_that_person_is_taken_or_passed_on() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ben = Device::enters(at, "maths", "ben", "learner").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    teacher.opens(BOARD).await;
    ben.opens(BOARD).await;
    teacher.lets(&mut ann, true).await;

    // Ann draws without end, each stroke with a Yjs client of its own so that none needs another, and opens the board again each
    // time that she is put out.
    let sent = Arc::new(AtomicU64::new(0));
    let draws = tokio::spawn({
        let sent = sent.clone();
        async move {
            ann.opens(BOARD).await;
            for stroke in 0.. {
                if stroke % 8 == 0 {
                    ann.says_of(BOARD, Said::Step1(&[0])).await;
                }
                ann.says_of(BOARD, Said::Update(&drawn(1_000 + stroke, 0, &format!("<{stroke}>")))).await;
                sent.store(stroke + 1, SeqCst);
                tokio::time::sleep(Duration::from_millis(18)).await;
            }
        }
    });
    let has_drawn = async |strokes: u64| {
        let until = sent.load(SeqCst) + strokes;
        while sent.load(SeqCst) < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    has_drawn(20).await;
    teacher.takes_the_pen_of("ann").await;
    let (at_the_ack, _) = strokes(&mut teacher).await;
    assert!(!at_the_ack.is_empty(), "she could draw before");
    has_drawn(30).await;
    let (later, passed_on) = strokes(&mut teacher).await;
    assert_eq!(at_the_ack, later);
    assert!(passed_on.is_empty(), "passed on after the ack: {passed_on:?}");
    let (later, passed_on) = strokes(&mut ben).await;
    assert_eq!((&at_the_ack, &at_the_ack), (&later, &passed_on));
    draws.abort();
    assert!(running.metric("lyceum_document_updates_refused_total").await > 0.0);
}

#[tokio::test]
async fn a_board_is_cleared_for_everybody_before_the_answer() {
    let running = start().await;
    let at = running.address;
    let mut teacher = Device::enters(at, "maths", "teacher", "instructor").await;
    let mut ann = Device::enters(at, "maths", "ann", "learner").await;
    teacher.opens(BOARD).await;
    teacher.says_of(BOARD, Said::Update(&drawn(7, 0, "<1>"))).await;
    assert_eq!(ack(&teacher.hears_of(BOARD).await), Some(1));
    let refused = ann.commands("board.clear", json!({"deck": 0, "page": 1})).await;
    assert_eq!(refused["code"], "forbidden");
    let cleared = teacher.commands("board.clear", json!({"deck": 0, "page": 1})).await;
    assert_eq!(cleared["status"], "accepted", "{cleared}");
    assert!(strokes(&mut teacher).await.0.is_empty());
    // Another page is another board; one that nobody has open is cleared as well.
    teacher.says(json!({"t": "doc_close", "doc": BOARD})).await;
    assert_eq!(teacher.commands("board.clear", json!({"deck": 0, "page": 2})).await["status"], "accepted");
    assert!(strokes(&mut ann).await.0.is_empty());
}

/// The strokes that are on the board, and those that came as updates before, by number.
async fn strokes(device: &mut Device) -> (Vec<u64>, Vec<u64>) {
    device.says_of(BOARD, Said::Step1(&[0])).await;
    let mut passed_on = Vec::new();
    loop {
        let frame = device.hears_of(BOARD).await;
        match Said::read(&frame) {
            Ok(Said::Update(update)) => passed_on.extend(numbers(update)),
            Ok(Said::Step1(_)) => {}
            Ok(Said::Step2(document)) => {
                passed_on.sort_unstable();
                return (numbers(document), passed_on);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Everything like `<17>`, in order.
pub fn numbers(bytes: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(bytes);
    let inside = text.split('<').skip(1).filter_map(|rest| rest.split_once('>')?.0.parse().ok());
    let mut numbers: Vec<u64> = inside.collect();
    numbers.sort_unstable();
    numbers
}

/// An update as Yjs writes it: a Yjs client sets `elements[name]`, which was not there, to `true`.
pub fn drawn(client: u64, clock: u64, name: &str) -> Vec<u8> {
    let mut update = vec![1, 1];
    put_uint(&mut update, client);
    put_uint(&mut update, clock);
    update.extend(b"\x28\x01\x08elements");
    // The key stays when an element is deleted; what it holds goes.
    let key = name.trim_matches(['<', '>']);
    put_uint(&mut update, key.len() as u64);
    update.extend(key.as_bytes());
    update.extend([1, 0x77]);
    put_uint(&mut update, name.len() as u64);
    update.extend(name.as_bytes());
    update.push(0);
    update
}

fn put_uint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn uint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if *first < 0x80 {
            break;
        }
    }
    value
}

fn buffer(bytes: &mut &[u8]) -> Vec<u8> {
    let len = uint(bytes) as usize;
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken.to_vec()
}

/// The place in the document's log, if this is an ack.
pub fn ack(mut frame: &[u8]) -> Option<u64> {
    (uint(&mut frame) == 100).then(|| uint(&mut frame))
}

/// Why, up to where, and the document.
fn reset(mut frame: &[u8]) -> (String, u64, Vec<u8>) {
    assert_eq!(uint(&mut frame), 101, "{frame:?}");
    let (code, message) = (buffer(&mut frame), buffer(&mut frame));
    assert!(message.len() > 10);
    let (seq, document) = (uint(&mut frame), buffer(&mut frame));
    assert!(frame.is_empty());
    (String::from_utf8(code).unwrap(), seq, document)
}

/// As `docs/documents.md` describes it.
fn hash(text: &str) -> String {
    let hash = text.bytes().fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

fn long_name() -> Vec<u8> {
    write_named(&"x".repeat(601), &Said::Step1(&[0]).write())
}

impl Device {
    pub async fn says_of(&mut self, document: &str, message: Said<'_>) {
        self.sends(Message::binary(write_named(document, &message.write()))).await;
    }

    /// Opens an empty document.
    pub async fn opens(&mut self, document: &str) {
        self.opens_having(document, &[]).await;
    }

    /// Opens a document in which each of these Yjs clients has made one change.
    async fn opens_having(&mut self, document: &str, clients: &[u8]) {
        self.says_of(document, Said::Step1(&[0])).await;
        let frame = self.hears_of(document).await;
        let Ok(Said::Step1(vector)) = Said::read(&frame) else { panic!("{frame:?}") };
        let mut has: Vec<_> = vector[1..].chunks(2).map(|entry| (entry[0], entry[1])).collect();
        has.sort_unstable();
        assert_eq!(has, clients.iter().map(|client| (*client, 1)).collect::<Vec<_>>());
        // Who points where may be told before.
        let frame = loop {
            let frame = self.hears_of(document).await;
            if frame.first() != Some(&1) {
                break frame;
            }
        };
        assert!(matches!(Said::read(&frame), Ok(Said::Step2(_))), "{frame:?}");
    }

    /// A teacher gives somebody the right to draw, or takes it; they know of it.
    async fn lets(&mut self, other: &mut Device, draw: bool) {
        let person = other.welcome["you"].as_str().unwrap().to_owned();
        self.sets_the_pen_of(&person, draw).await;
        let may = |grant: &Value| grant["caps"].as_array().unwrap().contains(&json!("board.draw"));
        other.sees("grants", &person, |grant| may(grant) == draw).await;
    }

    async fn takes_the_pen_of(&mut self, person: &str) {
        self.sets_the_pen_of(person, false).await;
    }

    async fn sets_the_pen_of(&mut self, person: &str, draw: bool) {
        self.sees("participants", person, |_| true).await;
        let rev = self.view[&key("participants", person)]["rev"].clone();
        let set = json!({"person": person, "set": {"board.draw": draw, "board.draw_own": draw}});
        let done = self.commands_with("participant.override_caps", set, json!({"expect": rev})).await;
        assert_eq!(done["status"], "accepted", "{done}");
    }
}

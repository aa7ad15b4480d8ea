//! What people send to a document: frames of y-protocols, updates of Yjs, awareness.

use crate::pieces;
use lyceum_documents::{
    ClientKey, DocId, DocSeq, Hub, Input, Limits, Message, Ms, Output, Phase, Rights, Snapshot, Stored, StoredUpdate,
    Style, Write, read_named, write_named,
};
use std::sync::Arc;

/// Most pieces of one input.
const PIECES: usize = 64;
/// The map entry `elements["lesson"] = true` by the Yjs client 1.
const LESSON: &[u8] = b"\x01\x01\x01\x00\x28\x01\x08elements\x06lesson\x01\x78\x00";

/// Several people send anything to one document. The teacher is never put out, what is stored reads back as the document, and
/// a newcomer gets the same; who may only look changes nothing.
pub fn document(bytes: &[u8]) {
    let mut board = Board::new();
    board.opens(TEACHER, "teacher", Write::All, Style::Ours);
    board.says(TEACHER, Message::Update(LESSON).write().to_vec());
    for (what, piece) in pieces(bytes, PIECES) {
        let (client, name, write, style) = match what % 4 {
            0 => (ClientKey(2), "mallory", Write::All, Style::Stock),
            1 => (ClientKey(3), "mallory", Write::All, Style::Ours),
            2 => (ClientKey(4), "otto", Write::Own, Style::Ours),
            _ => (ClientKey(5), "vera", Write::Nothing, Style::Stock),
        };
        if !board.open.contains(&client) {
            board.opens(client, name, write, style);
        }
        let frame = match what / 4 % 4 {
            0 => piece.to_vec(),
            1 => Message::Update(piece).write().to_vec(),
            2 => Message::Awareness(piece).write().to_vec(),
            _ => Message::Step1(piece).write().to_vec(),
        };
        board.says(client, frame);
        board.waits(u64::from(what) * 8);
    }
    assert!(board.open.contains(&TEACHER), "somebody put the teacher out");
    assert_eq!(board.hub.phase(), Phase::Loaded);
    assert_eq!(board.hub.stats().bad_snapshots, 0);
    let pulse = board.hub.pulse().expect("nothing is under way");
    let stored = board.hub_of(board.stored.clone()).pulse();
    assert_eq!(stored, Some(pulse), "what is stored is another document");
    let newcomer = board.newcomer();
    let newcomer = Stored { snapshots: vec![Snapshot { seq: pulse.seq, bytes: newcomer }], updates: Vec::new() };
    assert_eq!(board.hub_of(newcomer).pulse(), Some(pulse), "a newcomer gets another document");
    assert!(board.stored.updates.iter().all(|update| update.person.as_deref() != Some("vera")));
}

/// A binary message on the state socket: what can be read as a document's name and a message says the same when it is written again,
/// and a name that is a document's has one form.
pub fn carried(bytes: &[u8]) {
    let Ok((name, message)) = read_named(bytes) else { return };
    let again = write_named(name, message);
    assert_eq!(read_named(&again), Ok((name, message)));
    if let Ok(document) = name.parse::<DocId>() {
        assert_eq!(document.to_string(), name);
    }
    if let Ok(said) = Message::read(message)
        && said != Message::Auth
    {
        assert_eq!(Message::read(&said.write()), Ok(said));
    }
}

const TEACHER: ClientKey = ClientKey(1);

struct Board {
    hub: Hub,
    now: Ms,
    open: Vec<ClientKey>,
    stored: Stored,
    heard: Option<Arc<[u8]>>,
}

impl Board {
    fn new() -> Self {
        let (open, stored, now) = (Vec::new(), Stored::default(), Ms(0));
        let mut board = Self { hub: fresh(), now, open, stored, heard: None };
        board.handle(Input::Loaded(Stored::default()));
        board
    }

    fn opens(&mut self, client: ClientKey, person: &str, write: Write, style: Style) {
        self.open.push(client);
        let rights = Rights { view: true, write };
        self.handle(Input::Attach { client, person: person.into(), rights, epoch: 1, style });
    }

    fn says(&mut self, client: ClientKey, frame: Vec<u8>) {
        self.handle(Input::Message { client, epoch: None, frame });
    }

    fn waits(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        self.handle(Input::Timeout);
    }

    /// What somebody gets who has nothing.
    fn newcomer(&mut self) -> Arc<[u8]> {
        let client = ClientKey(9);
        self.opens(client, "newcomer", Write::Nothing, Style::Stock);
        self.says(client, Message::Step1(&[0]).write().to_vec());
        self.heard.clone().expect("an answer")
    }

    fn hub_of(&self, stored: Stored) -> Hub {
        let mut hub = fresh();
        hub.handle(self.now, Input::Loaded(stored));
        hub
    }

    fn handle(&mut self, input: Input) {
        self.hub.handle(self.now, input);
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Append(update) => {
                    let seq = update.seq;
                    self.append(update);
                    self.hub.handle(self.now, Input::Durable(seq));
                }
                Output::Compact(snapshot) => self.compact(snapshot),
                Output::Close { client, .. } | Output::Reset { client, .. } => self.open.retain(|open| *open != client),
                Output::Send { frame, .. } => match Message::read(&frame) {
                    Ok(Message::Step2(update)) => self.heard = Some(update.into()),
                    Ok(_) => {}
                    // y-protocols' refusal has a reason that a server does not read.
                    Err(malformed) => panic!("a client cannot read it: {malformed}"),
                },
                _ => {}
            }
        }
    }

    fn append(&mut self, update: StoredUpdate) {
        assert_eq!(update.seq, self.head() + 1, "a gap in the log");
        self.stored.updates.push(update);
    }

    fn compact(&mut self, snapshot: Snapshot) {
        assert_eq!(snapshot.seq, self.head());
        self.stored.snapshots.insert(0, snapshot);
    }

    fn head(&self) -> DocSeq {
        self.stored.updates.last().map_or(0, |update| update.seq)
    }
}

fn fresh() -> Hub {
    let limits = Limits { compact_updates: 4, ..Limits::default() };
    Hub::new(Ms(0), "board:main:blank:1".parse().expect("a document"), 1, 1, limits)
}

//! Reads an update of Yjs (encoding v1) without believing it: what it would add and delete, and where. `yrs` is shown an update
//! only after it passed here and the index (`index.rs`), because `yrs` may panic, allocate or recurse without bound on an update
//! that is not what a Yjs client writes.

use crate::wire::{Malformed, Reader};

/// Deepest nesting of values inside one item.
const VALUE_DEPTH: u32 = 32;

/// How large an update may be in other ways than its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ScanLimits {
    /// Most structs and deleted ranges together.
    pub structs: usize,
    /// Most values inside items.
    pub values: usize,
}

/// The place of a change: the Yjs client that made it, and its clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Id {
    pub client: u64,
    pub clock: u32,
}

/// What an update says.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    /// Changes, one run for each Yjs client.
    pub runs: Vec<Run<'a>>,
    /// Deleted clocks: client, from, to (exclusive).
    pub deletes: Vec<(u64, u32, u32)>,
}

/// Changes of one Yjs client, without a gap.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub client: u64,
    pub structs: Vec<Struct<'a>>,
    /// The clock after the last.
    pub end: u32,
}

#[derive(Debug)]
pub(crate) struct Struct<'a> {
    pub clock: u32,
    pub len: u32,
    pub shape: Shape<'a>,
}

#[derive(Debug)]
pub(crate) enum Shape<'a> {
    /// Collected garbage: only its length is left.
    Gone,
    Item {
        origin: Option<Id>,
        right: Option<Id>,
        parent: Option<Parent<'a>>,
        key: Option<&'a str>,
        kind: Kind,
    },
}

#[derive(Debug)]
pub(crate) enum Parent<'a> {
    Root(&'a str),
    Item(Id),
}

/// What an item holds, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// A nested type, which has items of its own.
    Type,
    /// Deleted, its content gone.
    Deleted,
    /// The begin or end of a text format.
    Format,
    /// Text, values, bytes.
    Value,
}

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT: u8 = 0x40;
const HAS_KEY: u8 = 0x20;

pub(crate) fn scan(bytes: &[u8], limits: ScanLimits) -> Result<Scan<'_>, Malformed> {
    let mut scanner = Scanner { reader: Reader::new(bytes), limits, structs: 0, values: 0 };
    let runs = scanner.runs()?;
    let deletes = scanner.deletes()?;
    if !scanner.reader.is_empty() {
        return Err(Malformed("something follows the update"));
    }
    Ok(Scan { runs, deletes })
}

struct Scanner<'a> {
    reader: Reader<'a>,
    limits: ScanLimits,
    structs: usize,
    values: usize,
}

impl<'a> Scanner<'a> {
    fn runs(&mut self) -> Result<Vec<Run<'a>>, Malformed> {
        let count = self.count()?;
        let mut runs: Vec<Run<'a>> = Vec::new();
        for _ in 0..count {
            let structs = self.count()?;
            let client = self.reader.uint()?;
            let mut clock = self.reader.clock()?;
            if structs == 0 {
                return Err(Malformed("a client of the update has no structs"));
            }
            let mut run = Run { client, structs: Vec::new(), end: clock };
            for _ in 0..structs {
                self.count_struct()?;
                let (len, shape) = self.structure()?;
                if len > 0 {
                    run.structs.push(Struct { clock, len, shape });
                }
                clock = clock.checked_add(len).filter(|clock| *clock < 1 << 31).ok_or(Malformed("clocks overflow"))?;
            }
            run.end = clock;
            runs.push(run);
        }
        let mut clients: Vec<_> = runs.iter().map(|run| run.client).collect();
        clients.sort_unstable();
        if clients.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Malformed("a client is in the update twice"));
        }
        Ok(runs)
    }

    fn structure(&mut self) -> Result<(u32, Shape<'a>), Malformed> {
        let info = self.reader.byte()?;
        if info == 0 {
            let len = self.reader.clock()?;
            return if len > 0 { Ok((len, Shape::Gone)) } else { Err(Malformed("a struct is empty")) };
        }
        if info & 0x1f == 10 {
            return Err(Malformed("the update has a gap"));
        }
        let origin = if info & HAS_ORIGIN != 0 { Some(self.id()?) } else { None };
        let right = if info & HAS_RIGHT != 0 { Some(self.id()?) } else { None };
        let (mut parent, mut key) = (None, None);
        if origin.is_none() && right.is_none() {
            parent = Some(match self.reader.uint()? {
                1 => Parent::Root(self.reader.text()?),
                0 => Parent::Item(self.id()?),
                _ => return Err(Malformed("a parent is neither a root nor an item")),
            });
            if info & HAS_KEY != 0 {
                key = Some(self.reader.text()?);
            }
        }
        let (len, kind) = self.content(info & 0x1f)?;
        Ok((len, Shape::Item { origin, right, parent, key, kind }))
    }

    fn content(&mut self, kind: u8) -> Result<(u32, Kind), Malformed> {
        match kind {
            1 => {
                let len = self.reader.clock()?;
                if len > 0 { Ok((len, Kind::Deleted)) } else { Err(Malformed("a struct is empty")) }
            }
            3 => self.reader.buffer().map(|_| (1, Kind::Value)),
            // Clocks count UTF-16 units, as JavaScript does.
            4 => Ok((self.reader.text()?.encode_utf16().count() as u32, Kind::Value)),
            5 => self.json().map(|()| (1, Kind::Value)),
            6 => {
                self.reader.text()?;
                self.json().map(|()| (1, Kind::Format))
            }
            7 => {
                // Arrays, maps, texts, XML elements (with their name), fragments, XML texts. Hooks, subdocuments and links
                // between documents are read differently by Yjs and yrs, and nobody needs them here.
                match self.reader.byte()? {
                    0..=2 | 4 | 6 => {}
                    3 => drop(self.reader.text()?),
                    _ => return Err(Malformed("this kind of nested type is not supported")),
                }
                Ok((1, Kind::Type))
            }
            8 => {
                let len = self.count()?;
                for _ in 0..len {
                    self.value(0)?;
                }
                Ok((len as u32, Kind::Value))
            }
            // 2 is the JSON of Yjs before version 13, 9 is a subdocument.
            _ => Err(Malformed("this kind of content is not supported")),
        }
    }

    /// A value of lib0's `any`.
    fn value(&mut self, depth: u32) -> Result<(), Malformed> {
        self.values += 1;
        if self.values > self.limits.values || depth > VALUE_DEPTH {
            return Err(Malformed("values are too many or nested too deeply"));
        }
        match self.reader.byte()? {
            127 | 126 | 121 | 120 => Ok(()),
            125 => self.reader.skip_int(),
            124 => self.reader.take(4).map(drop),
            123 | 122 => self.reader.take(8).map(drop),
            119 => self.reader.text().map(drop),
            118 => {
                for _ in 0..self.count()? {
                    self.reader.text()?;
                    self.value(depth + 1)?;
                }
                Ok(())
            }
            117 => {
                for _ in 0..self.count()? {
                    self.value(depth + 1)?;
                }
                Ok(())
            }
            116 => self.reader.buffer().map(drop),
            _ => Err(Malformed("there is no such value")),
        }
    }

    fn json(&mut self) -> Result<(), Malformed> {
        let text = self.reader.text()?;
        // Its own limit on nesting is 128.
        serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|_| Malformed("a value is no JSON"))
    }

    fn id(&mut self) -> Result<Id, Malformed> {
        Ok(Id { client: self.reader.uint()?, clock: self.reader.clock()? })
    }

    fn deletes(&mut self) -> Result<Vec<(u64, u32, u32)>, Malformed> {
        let mut deletes = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..self.count()? {
            let client = self.reader.uint()?;
            clients.push(client);
            for _ in 0..self.count()? {
                self.count_struct()?;
                let from = self.reader.clock()?;
                let len = self.reader.clock()?;
                let to = from.checked_add(len).filter(|to| *to < 1 << 31).ok_or(Malformed("clocks overflow"))?;
                if len > 0 {
                    deletes.push((client, from, to));
                }
            }
        }
        clients.sort_unstable();
        if clients.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Malformed("a client is in the update's deletions twice"));
        }
        Ok(deletes)
    }

    /// A number of things that follow. Each takes a byte at least.
    fn count(&mut self) -> Result<u64, Malformed> {
        let count = self.reader.uint()?;
        if count <= self.reader.left() as u64 { Ok(count) } else { Err(Malformed("a list is longer than its bytes")) }
    }

    fn count_struct(&mut self) -> Result<(), Malformed> {
        self.structs += 1;
        if self.structs <= self.limits.structs { Ok(()) } else { Err(Malformed("the update has too many structs")) }
    }
}

//! What is known of every change in a document beside its content: whose clock stands where, in which place of the document it
//! lies, how deep, and what is deleted. From this an update is understood before `yrs` sees it: whether something that it
//! builds on is missing, and what it would touch.

use crate::ranges::Ranges;
use crate::scan::{Id, Kind, Parent, Scan, Shape, Struct};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Deepest nesting of types. `yrs` walks down recursively when it deletes; a page or a text is a few levels deep.
pub(crate) const MAX_DEPTH: u8 = 100;
/// Most root types of a document.
const MAX_ROOTS: usize = 32;

/// Why an update cannot be taken, whoever sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// It builds on something that is not in the document.
    Missing,
    /// No Yjs client writes this.
    Malformed(&'static str),
    /// The document would have too many clients or roots.
    Full,
}

/// Everything known of a document's structure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Of each Yjs client, where its changes lie: sorted by first clock, up to the client's own clock.
    clients: BTreeMap<u64, Client>,
    places: Vec<Place>,
    names: BTreeMap<Place, u32>,
    roots: BTreeSet<Arc<str>>,
    deleted: Ranges,
    /// How many structs were taken. What `yrs` merges is counted again after a compaction.
    structs: usize,
}

#[derive(Clone, Debug, Default)]
struct Client {
    clock: u32,
    spots: Vec<(u32, Spot)>,
}

/// Where a change lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Spot {
    place: u32,
    depth: u8,
    kind: Kind,
}

/// Collected garbage lies nowhere.
const NOWHERE: u32 = u32::MAX;

/// A root type and, of a map, its key: what lies deeper belongs to the same place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub root: Arc<str>,
    pub key: Option<Arc<str>>,
}

/// An update that fits, and what it would do.
#[derive(Debug)]
pub(crate) struct Fit {
    /// New changes.
    runs: Vec<NewRun>,
    /// Places that are not in the index yet.
    new_places: Vec<Place>,
    structs: usize,
    /// New deletions that the update names: client, from, to.
    pub deletes: Vec<(u64, u32, u32)>,
    /// Whether the named deletions are all of text formats.
    pub only_formats: bool,
    /// Where something is added or deleted.
    pub touched: BTreeSet<Place>,
    /// Where something is deleted by name.
    pub deletes_in: BTreeSet<Place>,
}

/// New changes of one Yjs client.
#[derive(Debug)]
struct NewRun {
    client: u64,
    from: u32,
    to: u32,
    spots: Vec<(u32, Spot)>,
}

impl Fit {
    /// Whether it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.deletes.is_empty()
    }

    /// Whether it adds nothing.
    pub fn only_deletes(&self) -> bool {
        self.runs.is_empty()
    }

    /// What it adds: client, from, to.
    pub fn adds(&self) -> impl Iterator<Item = (u64, u32, u32)> {
        self.runs.iter().map(|run| (run.client, run.from, run.to))
    }
}

/// Most Yjs clients of a document: every page load is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexLimits {
    pub clients: usize,
    pub structs: usize,
}

impl Index {
    /// The clock of each Yjs client.
    pub fn clocks(&self) -> impl Iterator<Item = (u64, u32)> {
        self.clients.iter().map(|(id, client)| (*id, client.clock))
    }

    /// What is deleted.
    pub fn deleted(&self) -> impl Iterator<Item = (u64, u32, u32)> {
        self.deleted.iter()
    }

    /// How many structs were taken.
    pub fn structs(&self) -> usize {
        self.structs
    }

    /// Understands an update against the document as it is.
    pub fn fit(&self, scan: &Scan<'_>, limits: IndexLimits) -> Result<Fit, Unfit> {
        let mut fitting = Fitting::new(self, scan)?;
        fitting.resolve_all()?;
        let deletes = fitting.new_deletes()?;
        let fit = fitting.finish(deletes);
        let new_clients = fit.adds().filter(|(client, _, _)| !self.clients.contains_key(client)).count();
        let new_roots: BTreeSet<_> =
            fit.new_places.iter().map(|place| &place.root).filter(|root| !self.roots.contains(*root)).collect();
        let is_full = self.clients.len() + new_clients > limits.clients
            || self.roots.len() + new_roots.len() > MAX_ROOTS
            || self.structs + fit.structs > limits.structs;
        if is_full && !fit.only_deletes() { Err(Unfit::Full) } else { Ok(fit) }
    }

    /// Takes an update over, with all that was deleted by it, named or not.
    pub fn take(&mut self, fit: Fit, deleted: &[(u64, u32, u32)]) {
        for place in fit.new_places {
            self.roots.insert(place.root.clone());
            self.names.insert(place.clone(), self.places.len() as u32);
            self.places.push(place);
        }
        for NewRun { client, to, spots, .. } in fit.runs {
            let client = self.clients.entry(client).or_default();
            for (from, spot) in spots {
                if client.spots.last().is_none_or(|(_, last)| *last != spot) {
                    client.spots.push((from, spot));
                }
            }
            client.clock = to;
        }
        deleted.iter().for_each(|(client, from, to)| self.take_deleted(*client, *from, *to));
        self.structs += fit.structs;
    }

    /// Notes what was deleted.
    pub fn take_deleted(&mut self, client: u64, from: u32, to: u32) {
        self.deleted.insert(client, from, to);
    }

    fn clock(&self, client: u64) -> u32 {
        self.clients.get(&client).map_or(0, |client| client.clock)
    }

    fn spot(&self, id: Id) -> Option<Spot> {
        let client = self.clients.get(&id.client).filter(|client| id.clock < client.clock)?;
        spot_at(&client.spots, id.clock)
    }
}

fn spot_at(spots: &[(u32, Spot)], clock: u32) -> Option<Spot> {
    let after = spots.partition_point(|(from, _)| *from <= clock);
    spots.get(after.checked_sub(1)?).map(|(_, spot)| *spot)
}

/// One update on its way to a [`Fit`].
struct Fitting<'a> {
    index: &'a Index,
    scan: &'a Scan<'a>,
    /// For each run of the update, how far it is understood.
    runs: Vec<Progress>,
    by_client: BTreeMap<u64, usize>,
    new_places: Vec<Place>,
    new_names: BTreeMap<Place, u32>,
    structs: usize,
}

struct Progress {
    next: usize,
    /// Up to this clock everything is known.
    known: u32,
    /// From this clock on it is new.
    new_from: u32,
    spots: Vec<(u32, Spot)>,
    waiting: bool,
}

impl<'a> Fitting<'a> {
    fn new(index: &'a Index, scan: &'a Scan<'a>) -> Result<Self, Unfit> {
        let mut runs = Vec::with_capacity(scan.runs.len());
        let mut by_client = BTreeMap::new();
        for (at, run) in scan.runs.iter().enumerate() {
            let known = index.clock(run.client);
            let start = run.structs.first().map_or(run.end, |first| first.clock);
            if start > known {
                return Err(Unfit::Missing);
            }
            by_client.insert(run.client, at);
            runs.push(Progress { next: 0, known, new_from: known, spots: Vec::new(), waiting: false });
        }
        Ok(Self { index, scan, runs, by_client, new_places: Vec::new(), new_names: BTreeMap::new(), structs: 0 })
    }

    /// Goes through all runs as Yjs does: where a change builds on another one of this update, that one first.
    fn resolve_all(&mut self) -> Result<(), Unfit> {
        for first in 0..self.runs.len() {
            // Each entry is a run and the clock that must be known in it.
            let mut stack = vec![(first, u32::MAX)];
            while let Some((run, wanted)) = stack.last().copied() {
                let Some(change) = self.change(run, wanted) else {
                    self.set_waiting(run, false);
                    stack.pop();
                    continue;
                };
                match self.missing(change) {
                    None => self.resolve(run, change)?,
                    Some(id) => {
                        let other = *self.by_client.get(&id.client).ok_or(Unfit::Missing)?;
                        self.set_waiting(run, true);
                        let hopeless = self.scan.runs.get(other).is_none_or(|run| run.end <= id.clock);
                        if hopeless || self.runs.get(other).is_none_or(|progress| progress.waiting) {
                            return Err(Unfit::Missing);
                        }
                        stack.push((other, id.clock));
                    }
                }
            }
        }
        Ok(())
    }

    /// The next new change of a run, until the clock is known.
    fn change(&mut self, run: usize, wanted: u32) -> Option<&'a Struct<'a>> {
        let progress = self.runs.get_mut(run)?;
        let structs = &self.scan.runs.get(run)?.structs;
        if wanted < progress.known {
            return None;
        }
        loop {
            let change = structs.get(progress.next)?;
            if change.clock + change.len > progress.known {
                return Some(change);
            }
            progress.next += 1;
        }
    }

    fn set_waiting(&mut self, run: usize, waiting: bool) {
        if let Some(progress) = self.runs.get_mut(run) {
            progress.waiting = waiting;
        }
    }

    /// What a change builds on and is not known yet.
    fn missing(&self, change: &Struct<'_>) -> Option<Id> {
        let Shape::Item { origin, right, parent, .. } = &change.shape else { return None };
        let parent = match parent {
            Some(Parent::Item(id)) => Some(*id),
            _ => None,
        };
        [*origin, *right, parent].into_iter().flatten().find(|id| !self.is_known(*id))
    }

    fn is_known(&self, id: Id) -> bool {
        let known = match self.by_client.get(&id.client).and_then(|run| self.runs.get(*run)) {
            Some(progress) => progress.known,
            None => self.index.clock(id.client),
        };
        id.clock < known
    }

    fn spot(&self, id: Id) -> Option<Spot> {
        let new = self.by_client.get(&id.client).and_then(|run| self.runs.get(*run));
        match new {
            Some(progress) if id.clock >= progress.new_from => spot_at(&progress.spots, id.clock),
            _ => self.index.spot(id),
        }
    }

    fn resolve(&mut self, run: usize, change: &Struct<'_>) -> Result<(), Unfit> {
        let client = self.scan.runs.get(run).map_or(0, |run| run.client);
        let known = self.runs.get(run).map_or(0, |progress| progress.known);
        let spot = if change.clock < known {
            // Its first part is in the document: it lies where that lies.
            self.index.spot(Id { client, clock: known - 1 }).ok_or(Unfit::Missing)?
        } else {
            self.spot_of(change)?
        };
        if let Some(progress) = self.runs.get_mut(run) {
            if progress.spots.last().is_none_or(|(_, last)| *last != spot) {
                progress.spots.push((known, spot));
            }
            progress.known = change.clock + change.len;
            progress.next += 1;
        }
        self.structs += 1;
        Ok(())
    }

    fn spot_of(&mut self, change: &Struct<'_>) -> Result<Spot, Unfit> {
        let Shape::Item { origin, right, parent, key, kind } = &change.shape else {
            return Ok(Spot { place: NOWHERE, depth: 0, kind: Kind::Deleted });
        };
        let (place, depth) = match parent {
            None => {
                let beside = |id: &Option<Id>| id.and_then(|id| self.spot(id)).filter(|spot| spot.place != NOWHERE);
                match (beside(origin), beside(right)) {
                    (Some(left), Some(right)) if (left.place, left.depth) != (right.place, right.depth) => {
                        return Err(Unfit::Malformed("an item lies between items of different places"));
                    }
                    (Some(beside), _) | (None, Some(beside)) => (beside.place, beside.depth),
                    (None, None) => (NOWHERE, 0),
                }
            }
            Some(Parent::Root(root)) => (self.place(root, *key), 1),
            Some(Parent::Item(id)) => {
                let parent = self.spot(*id).ok_or(Unfit::Missing)?;
                match parent.kind {
                    Kind::Type => (parent.place, parent.depth + 1),
                    Kind::Deleted => (NOWHERE, 0),
                    Kind::Format | Kind::Value => return Err(Unfit::Malformed("an item lies in one that holds none")),
                }
            }
        };
        if depth > MAX_DEPTH {
            return Err(Unfit::Malformed("types are nested too deeply"));
        }
        let kind = if place == NOWHERE { Kind::Deleted } else { *kind };
        Ok(Spot { place, depth, kind })
    }

    fn place(&mut self, root: &str, key: Option<&str>) -> u32 {
        let place = Place { root: root.into(), key: key.map(Into::into) };
        if let Some(known) = self.index.names.get(&place).or_else(|| self.new_names.get(&place)) {
            return *known;
        }
        let number = (self.index.places.len() + self.new_places.len()) as u32;
        self.new_names.insert(place.clone(), number);
        self.new_places.push(place);
        number
    }

    /// Named deletions of what is not deleted yet.
    fn new_deletes(&self) -> Result<Vec<(u64, u32, u32)>, Unfit> {
        let mut deletes = Vec::new();
        for (client, from, to) in &self.scan.deletes {
            if !self.is_known(Id { client: *client, clock: to - 1 }) {
                return Err(Unfit::Missing);
            }
            for (from, to) in self.index.deleted.missing(*client, *from, *to) {
                deletes.push((*client, from, to));
            }
        }
        Ok(deletes)
    }

    fn finish(self, deletes: Vec<(u64, u32, u32)>) -> Fit {
        let (mut touched, mut deletes_in, mut only_formats) = (BTreeSet::new(), BTreeSet::new(), true);
        for (client, from, to) in &deletes {
            for spot in self.spots_in(*client, *from, *to) {
                only_formats &= spot.kind == Kind::Format;
                deletes_in.extend(self.place_of(spot));
            }
        }
        for (_, spot) in self.runs.iter().flat_map(|progress| &progress.spots) {
            touched.extend(self.place_of(*spot));
        }
        touched.extend(deletes_in.iter().cloned());
        let runs = self.scan.runs.iter().zip(self.runs);
        let runs = runs
            .filter(|(_, progress)| progress.known > progress.new_from)
            .map(|(run, progress)| NewRun {
                client: run.client,
                from: progress.new_from,
                to: progress.known,
                spots: progress.spots,
            })
            .collect();
        let (new_places, structs) = (self.new_places, self.structs);
        Fit { runs, new_places, structs, deletes, only_formats, touched, deletes_in }
    }

    fn place_of(&self, spot: Spot) -> Option<Place> {
        let place = spot.place as usize;
        let new = || self.new_places.get(place.checked_sub(self.index.places.len())?);
        self.index.places.get(place).or_else(new).cloned()
    }

    /// Where the changes of a range lie.
    fn spots_in(&self, client: u64, from: u32, to: u32) -> Vec<Spot> {
        let mut found = Vec::new();
        let old = self.index.clients.get(&client).map(|client| client.spots.as_slice()).unwrap_or_default();
        let progress = self.by_client.get(&client).and_then(|run| self.runs.get(*run));
        let new_from = progress.map_or(u32::MAX, |progress| progress.new_from);
        let new = progress.map(|progress| progress.spots.as_slice()).unwrap_or_default();
        for (spots, from, to) in [(old, from, to.min(new_from)), (new, from.max(new_from), to)] {
            if from >= to {
                continue;
            }
            found.extend(spot_at(spots, from));
            let inside = spots.partition_point(|(start, _)| *start <= from);
            found.extend(spots.iter().skip(inside).take_while(|(start, _)| *start < to).map(|(_, spot)| *spot));
        }
        found
    }
}

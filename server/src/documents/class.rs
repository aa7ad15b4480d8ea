//! The documents of one class: the task that owns their hubs. It tells a hub what happened, does what the hub wants done, in
//! order, and passes on what the class takes from people or gives them. A panic in here ends one document only.

use super::{NotOpened, Outbound, Shared, Standings};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lyceum_documents::{ClientKey, Code, DocId, DocSeq, Hub, Input, Lane, Ms, Output, Pulse, Rights, Style};
use lyceum_session::{PersonId, Seq, SessionId, TenantId};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// Most documents of one class in memory.
const MOST_DOCUMENTS: usize = 500;
/// Without a timer, the task looks up once an hour.
const NEVER: Duration = Duration::from_secs(3600);

/// What reaches the documents of a class.
pub(super) enum Mail {
    Open {
        client: ClientKey,
        person: PersonId,
        document: DocId,
        style: Style,
        outbound: mpsc::Sender<Outbound>,
        answer: oneshot::Sender<Result<(), NotOpened>>,
    },
    Frame {
        client: ClientKey,
        epoch: Option<u64>,
        frame: Vec<u8>,
    },
    Gone {
        client: ClientKey,
    },
    Clear {
        document: DocId,
        answer: oneshot::Sender<Option<DocSeq>>,
    },
    Pulse {
        client: ClientKey,
    },
    Shutdown,
}

/// Runs until the class is over and everything of its documents is stored.
pub(super) async fn run(
    shared: Arc<Shared>,
    class: (TenantId, SessionId),
    mut standings: watch::Receiver<Standings>,
    mailbox: mpsc::Receiver<Mail>,
    reached: watch::Sender<Seq>,
) {
    let mut task = Task {
        standings: standings.borrow_and_update().clone(),
        shared,
        class,
        began: Instant::now(),
        hubs: BTreeMap::new(),
        seats: BTreeMap::new(),
        generation: 0,
        done: FuturesUnordered::new(),
        fences: BTreeMap::new(),
        clears: BTreeMap::new(),
        next_clear: 0,
        reached,
    };
    task.take_turns(standings, mailbox).await;
}

struct Task {
    shared: Arc<Shared>,
    class: (TenantId, SessionId),
    standings: Standings,
    began: Instant,
    hubs: BTreeMap<DocId, Kept>,
    seats: BTreeMap<ClientKey, Place>,
    generation: u64,
    done: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
    /// Fences that hubs have not answered, by the event that they enforce.
    fences: BTreeMap<Seq, BTreeSet<(DocId, Arc<str>)>>,
    clears: BTreeMap<u64, oneshot::Sender<Option<DocSeq>>>,
    next_clear: u64,
    reached: watch::Sender<Seq>,
}

struct Kept {
    hub: Hub,
    generation: u64,
    /// What was last told of each person.
    told: BTreeMap<Arc<str>, (Rights, u64)>,
    /// As it was worked out last.
    pulse: Option<Pulse>,
    _counted: crate::metrics::Present,
}

impl Kept {
    /// Worked out once for each state: everybody who has the document open asks for it every few seconds.
    fn pulse(&mut self) -> Option<Pulse> {
        let seq = self.hub.settled()?;
        if self.pulse.is_none_or(|known| known.seq != seq) {
            self.pulse = self.hub.pulse();
        }
        self.pulse
    }
}

/// Where a client sits.
struct Place {
    document: DocId,
    person: Arc<str>,
    outbound: mpsc::Sender<Outbound>,
}

/// What the log has done for a hub.
struct Done {
    document: DocId,
    generation: u64,
    what: Input,
}

impl Task {
    async fn take_turns(&mut self, mut standings: watch::Receiver<Standings>, mut mailbox: mpsc::Receiver<Mail>) {
        let reason = loop {
            let due = self.hubs.values().filter_map(|kept| kept.hub.poll_timeout()).map(|(at, _)| at).min();
            let wait = due.map_or(NEVER, |at| Duration::from_millis(at.since(self.now())));
            tokio::select! {
                // In this order: what somebody sends is judged by what is in force when it is read.
                biased;
                changed = standings.changed() => match changed {
                    Ok(()) => {
                        self.standings = standings.borrow_and_update().clone();
                        self.enforce();
                    }
                    Err(_) => break "the class is over",
                },
                Some(done) = self.done.next() => self.finish(done),
                () = tokio::time::sleep(wait) => {
                    let documents: Vec<_> = self.hubs.keys().cloned().collect();
                    documents.iter().for_each(|document| self.tell(document, Input::Timeout));
                }
                mail = mailbox.recv() => match mail {
                    Some(Mail::Shutdown) | None => break "the server is shutting down: connect again in a moment",
                    Some(mail) => self.read(mail),
                },
            }
        };
        mailbox.close();
        let documents: Vec<_> = self.hubs.keys().cloned().collect();
        documents.iter().for_each(|document| self.tell(document, Input::Close(reason)));
        while let Some(done) = self.done.next().await {
            self.finish(done);
        }
        // Whoever waits for what the class took away need not wait for people who are gone.
        self.reached.send_replace(Seq(u64::MAX));
    }

    fn read(&mut self, mail: Mail) {
        match mail {
            Mail::Open { client, person, document, style, outbound, answer } => {
                let opened = self.open(client, &person, &document, style, outbound);
                // Whoever asked may have gone; then their `Gone` is on the way.
                let _ = answer.send(opened);
            }
            Mail::Frame { client, epoch, frame } => {
                if let Some(document) = self.seats.get(&client).map(|place| place.document.clone()) {
                    self.tell(&document, Input::Message { client, epoch, frame });
                }
            }
            Mail::Gone { client } => self.gone(client),
            Mail::Clear { document, answer } => {
                if self.keep(&document) {
                    self.next_clear += 1;
                    self.clears.insert(self.next_clear, answer);
                    self.tell(&document, Input::Clear { request: self.next_clear });
                }
            }
            Mail::Pulse { client } => {
                let document = self.seats.get(&client).map(|place| place.document.clone());
                let kept = document.and_then(|document| self.hubs.get_mut(&document));
                let pulse = kept.and_then(Kept::pulse);
                let mut slow = Vec::new();
                self.say(client, Outbound::Pulse(pulse), &mut slow);
                self.let_go(slow);
            }
            // Ends the loop before it comes here.
            Mail::Shutdown => {}
        }
    }

    fn open(
        &mut self,
        client: ClientKey,
        person: &PersonId,
        document: &DocId,
        style: Style,
        outbound: mpsc::Sender<Outbound>,
    ) -> Result<(), NotOpened> {
        // Asked again: this may be later than when the way in was found.
        let (rights, epoch) = self.standings.rights(person, document).ok_or(NotOpened::NotInClass)?;
        if !rights.view {
            return Err(NotOpened::Forbidden);
        }
        if !self.keep(document) {
            return Err(NotOpened::TooMany);
        }
        let person: Arc<str> = person.0.as_str().into();
        self.seats.insert(client, Place { document: document.clone(), person: person.clone(), outbound });
        if let Some(kept) = self.hubs.get_mut(document) {
            kept.told.insert(person.clone(), (rights, epoch));
        }
        self.tell(document, Input::Attach { client, person, rights, epoch, style });
        Ok(())
    }

    /// Sees to it that there is a hub for the document; false if there are too many.
    fn keep(&mut self, document: &DocId) -> bool {
        if self.hubs.contains_key(document) {
            return true;
        }
        if self.hubs.len() >= MOST_DOCUMENTS {
            return false;
        }
        self.generation += 1;
        let generation = self.generation;
        let hub = Hub::new(self.now(), document.clone(), generation, rand::rng().random(), self.shared.limits);
        let _counted = self.shared.metrics.documents.enter();
        self.hubs.insert(document.clone(), Kept { hub, generation, told: BTreeMap::new(), pulse: None, _counted });
        let loaded = self.shared.log.load(self.place(document));
        let (document, metrics) = (document.clone(), self.shared.metrics.clone());
        self.done.push(Box::pin(async move {
            let what = match loaded.await {
                Ok(stored) => Input::Loaded(stored),
                Err(error) => {
                    metrics.document_failures.add(1);
                    tracing::error!(%error, "a document cannot be read");
                    Input::LoadFailed
                }
            };
            Done { document, generation, what }
        }));
        true
    }

    fn gone(&mut self, client: ClientKey) {
        let Some(place) = self.seats.remove(&client) else { return };
        let is_last = self.seats.values().all(|seat| seat.person != place.person || seat.document != place.document);
        if is_last && let Some(kept) = self.hubs.get_mut(&place.document) {
            kept.told.remove(&place.person);
        }
        self.tell(&place.document, Input::Detach(client));
    }

    /// Tells the hubs what people may do by now, where that has changed.
    fn enforce(&mut self) {
        let seq = self.standings.seq;
        let mut changes = Vec::new();
        for (document, kept) in &mut self.hubs {
            for (person, told) in &mut kept.told {
                let now = self.standings.rights(&PersonId(person.to_string()), document);
                // Who is not in the class any more has the grant that they had last, and may do nothing.
                let now = now.unwrap_or((Rights::default(), told.1));
                if *told != now {
                    *told = now;
                    changes.push((document.clone(), person.clone(), now));
                }
            }
        }
        for (document, person, _) in &changes {
            self.fences.entry(seq).or_default().insert((document.clone(), person.clone()));
        }
        for (document, person, (rights, epoch)) in changes {
            self.tell(&document, Input::Rights { person, rights, epoch });
        }
        self.tell_reached();
    }

    fn tell_reached(&mut self) {
        self.fences.retain(|_, open| !open.is_empty());
        let reached = self.fences.keys().next().map_or(self.standings.seq, |open| Seq(open.0.saturating_sub(1)));
        self.reached.send_if_modified(|told| std::mem::replace(told, (*told).max(reached)) < reached);
    }

    /// The log has done something.
    fn finish(&mut self, done: Done) {
        if self.hubs.get(&done.document).is_some_and(|kept| kept.generation == done.generation) {
            self.tell(&done.document, done.what);
        }
    }

    /// Tells a hub, and does what it wants done.
    fn tell(&mut self, document: &DocId, input: Input) {
        let now = self.now();
        let Some(kept) = self.hubs.get_mut(document) else { return };
        let before = kept.hub.stats();
        let handled = catch_unwind(AssertUnwindSafe(|| {
            kept.hub.handle(now, input);
            std::iter::from_fn(|| kept.hub.poll_output()).collect::<Vec<_>>()
        }));
        let Ok(outputs) = handled else { return self.fall(document) };
        let (after, metrics) = (kept.hub.stats(), &self.shared.metrics);
        metrics.document_updates.add(after.updates - before.updates);
        metrics.document_refusals.add(after.refused + after.ignored - before.refused - before.ignored);
        metrics.document_compactions.add(after.compactions - before.compactions);
        let generation = kept.generation;
        let mut slow = Vec::new();
        for output in outputs {
            self.perform(document, generation, output, &mut slow);
        }
        self.let_go(slow);
    }

    /// Clients that do not keep up: they can come back and be told afresh.
    fn let_go(&mut self, slow: Vec<ClientKey>) {
        for client in slow {
            self.shared.metrics.clients_too_slow.add(1);
            self.gone(client);
        }
    }

    fn perform(&mut self, document: &DocId, generation: u64, output: Output, slow: &mut Vec<ClientKey>) {
        match output {
            Output::Append(update) => {
                let seq = update.seq;
                let stored = self.shared.log.append(self.place(document), update);
                self.await_log(document, generation, seq, stored);
            }
            Output::Compact(snapshot) => {
                let seq = snapshot.seq;
                let stored = self.shared.log.compact(self.place(document), snapshot);
                self.await_log(document, generation, seq, stored);
            }
            Output::Send { to, frame, seq, lane } => {
                for client in to {
                    let Some(place) = self.seats.get(&client) else { continue };
                    // Half of a queue is for what must arrive.
                    let crowded = place.outbound.capacity() < place.outbound.max_capacity() / 2;
                    if lane == Lane::Latest && crowded {
                        continue;
                    }
                    let sent = place.outbound.try_send(Outbound::Frame { frame: frame.clone(), seq });
                    if matches!(sent, Err(TrySendError::Full(_))) {
                        slow.push(client);
                    }
                }
            }
            Output::Ack { client, seq } => self.say(client, Outbound::Ack { seq }, slow),
            Output::Reset { client, refusal, snapshot, seq } => {
                self.say(client, Outbound::Reset { refusal, snapshot, seq }, slow);
                self.seats.remove(&client);
            }
            Output::Close { client, code, reason } => {
                self.say(client, Outbound::Close { code, reason }, slow);
                self.seats.remove(&client);
            }
            Output::Fenced { person, .. } => {
                let fence = (document.clone(), person);
                if let Some(open) = self.fences.values_mut().find(|open| open.contains(&fence)) {
                    open.remove(&fence);
                }
                self.tell_reached();
            }
            Output::Cleared { request, before } => {
                // Whoever asked may have gone; the board is empty all the same.
                let _ = self.clears.remove(&request).map(|answer| answer.send(before));
            }
            Output::Unloaded { .. } => self.forget(document),
        }
    }

    fn say(&self, client: ClientKey, message: Outbound, slow: &mut Vec<ClientKey>) {
        let Some(place) = self.seats.get(&client) else { return };
        if matches!(place.outbound.try_send(message), Err(TrySendError::Full(_))) {
            slow.push(client);
        }
    }

    fn await_log(
        &mut self,
        document: &DocId,
        generation: u64,
        seq: DocSeq,
        stored: impl Future<Output = Result<(), crate::store::StoreError>> + Send + 'static,
    ) {
        let (document, metrics) = (document.clone(), self.shared.metrics.clone());
        self.done.push(Box::pin(async move {
            let what = match stored.await {
                Ok(()) => Input::Durable(seq),
                Err(error) => {
                    metrics.document_failures.add(1);
                    tracing::error!(%error, "a document cannot be written");
                    Input::StoreFailed
                }
            };
            Done { document, generation, what }
        }));
    }

    /// A hub met a bug: its clients connect again, and it is loaded again.
    fn fall(&mut self, document: &DocId) {
        self.shared.metrics.document_panics.add(1);
        tracing::error!("a document stopped because of a bug; its clients come back to its log");
        let theirs: Vec<_> =
            self.seats.iter().filter(|(_, place)| place.document == *document).map(|(key, _)| *key).collect();
        for client in theirs {
            let reason = "the document met a bug: connect again";
            self.say(client, Outbound::Close { code: Code::Unavailable, reason }, &mut Vec::new());
            self.seats.remove(&client);
        }
        self.forget(document);
    }

    fn forget(&mut self, document: &DocId) {
        self.hubs.remove(document);
        self.fences.values_mut().for_each(|open| open.retain(|(fenced, _)| fenced != document));
        self.tell_reached();
    }

    fn place(&self, document: &DocId) -> super::log::Place {
        let (tenant, session) = self.class.clone();
        super::log::Place { tenant, session, document: document.to_string() }
    }

    fn now(&self) -> Ms {
        Ms(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

//! What must be true of a world: at every word that the server says, after every crash, whenever things have settled, and in its
//! log at the end.

use super::World;
use super::books::{Asked, name_of};
use super::said::{Acked, Begins, Change, Held, Said, Shown, What, differences, hash_of};
use super::screen::Entities;
use lyceum_session::class::{
    Anonymity, Answer, Answers, ClassCommand, ClassFact, DraftPolicy, PollSpec, PollStatus, Tally,
};
use lyceum_session::{Event, Fact, PersonId, Seq, SpaceName, State, apply};
use lyceum_sfu::ConnKey;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Longest that a class may take to agree with itself once nobody does anything: the way back of clients and of the server.
const SETTLES_WITHIN_MS: u64 = 60_000;
/// Everybody is told within this time what they should have.
const PULSE_WITHIN_MS: u64 = 5_500;
/// What servers' clocks may differ by.
const CLOCK_TOLERANCE_MS: u64 = 150;
/// The fewest people whose anonymous answers are counted.
const BATCH: usize = 5;

/// At every word.
impl World {
    pub(super) fn may_be_said(&mut self, index: usize, said: &Said) {
        let person = self.screens[index].person.clone();
        let durable = &self.disk.events;
        match &said.what {
            What::Welcome { seq, begins, .. } => {
                self.books.reads_up_to(*seq, durable);
                match begins {
                    Begins::Anew(snapshot) => is_for(&self.books.fold, &person, snapshot),
                    Begins::After(missed) => missed.iter().for_each(|shown| may_see(&self.books.fold, &person, shown)),
                }
            }
            What::Shown(shown) => {
                self.books.reads_up_to(shown.seq, durable);
                may_see(&self.books.fold, &person, shown);
            }
            What::Pulse { seq, hash } => {
                self.books.reads_up_to(*seq, durable);
                let should = self.books.hash_for(&person);
                assert_eq!(*hash, should, "the hash of {person} at {seq} is not that of the log");
            }
            What::Acked(ack) => self.may_be_acked(&person, ack),
            What::Signal { space } => {
                let state = self.node.as_ref().map(|node| node.state());
                let seat = state.and_then(|state| state.participants.get(&person));
                assert_eq!(seat.map(|seat| seat.space.0.as_str()), Some(space.as_str()), "a signal of another Space");
            }
            What::Bye { .. } => {}
        }
    }

    fn may_be_acked(&mut self, person: &PersonId, ack: &Acked) {
        let (incarnation, lines) = (self.incarnation, self.lines);
        let asked = self.books.asked.get_mut(&(person.clone(), ack.id.clone())).expect("it answers what was asked");
        for seq in ack.places.iter().flat_map(|(first, last)| *first..=*last).chain(ack.kept) {
            let event = self.disk.events.get(seq as usize - 1);
            let event = event.unwrap_or_else(|| panic!("acked before {seq} is on disk: {ack:?}"));
            assert!(is_of(event, person, &ack.id), "acked with the event of somebody else: {event:?}");
        }
        let is_final = |ack: &Acked| !matches!(ack.code.as_deref(), Some("limit" | "rate"));
        if let Some((server, before)) = &asked.said {
            let must_agree = *server == incarnation && is_final(before) || before.places.is_some();
            assert!(!must_agree || before == ack, "two outcomes of one command: {before:?} and {ack:?}");
        }
        if let ClassCommand::PollRespond { poll, .. } = &asked.command
            && ack.code.as_deref() == Some("closed")
            && let Some((server, arrived)) = asked.arrived
            && server == incarnation
            && let Some(known) = self.disk.state.class.polls.get(poll)
            && known.spec.anonymity != Anonymity::Anonymous
        {
            let until = known.accept_until.expect("a poll that is closed said until when it takes answers");
            assert!(arrived.0 > until.0 + CLOCK_TOLERANCE_MS, "an answer in time is refused: {ack:?}");
        }
        if asked.said.as_ref().is_none_or(|(server, _)| *server != incarnation) {
            asked.said_at = lines;
        }
        asked.said = Some((incarnation, ack.clone()));
    }

    pub(super) fn notes_arrival(&mut self, screen: usize, number: u64) {
        let (person, device) = (self.screens[screen].person.clone(), &self.screens[screen].device);
        let (id, now) = (format!("{device}-{number}"), self.now());
        self.books.has_arrived(&person, &id, self.incarnation, now);
    }

    /// A page shows something else than it should.
    pub(super) fn diverged(&self, person: &PersonId, entities: &Entities, seq: u64) -> ! {
        let mut state = State::default();
        self.disk.events.iter().take_while(|event| event.seq.0 <= seq).for_each(|event| apply(&mut state, event));
        panic!("the page of {person} differs at {seq}: {:#?}", differences(entities, &should_see(&state, person)));
    }

    pub(super) fn queues_are_bounded(&self) {
        let Some(node) = &self.node else { return };
        let (stats, people) = (node.stats(), (self.screens.len() + self.tabs.len()) as u64);
        // Who goes, and what is due, cannot be refused.
        let most_events = self.limits.outstanding_events + 8 * people + 64;
        assert!(stats.outstanding_events <= most_events, "{stats:?}");
        assert!(stats.outstanding_bytes <= 2 * self.limits.outstanding_bytes, "{stats:?}");
        assert!(stats.clients <= self.tabs.len() * 2, "{stats:?}");
    }

    pub(super) fn reads_back_what_there_was(&self) {
        let (has, should) = (self.disk.reads_back(), &self.disk.state);
        assert!(has == *should, "a server reads back something else than there was: {has:?} and not {should:?}");
    }

    pub(super) fn is_over(&self) {
        let (conns, tracks) = self.media.open();
        assert!(conns.is_empty() && tracks.is_empty(), "left in the media: {conns:?} {tracks:?}");
        let left: Vec<_> = self.sockets.iter().filter(|(_, socket)| socket.arrived).map(|(client, _)| client).collect();
        assert!(left.is_empty(), "sockets left open: {left:?}");
    }
}

/// Whenever nothing moves any more.
impl World {
    /// Lets the world go on until everybody is where they want to be and has their answers; then all must agree.
    pub fn settles(&mut self) {
        let begun_ms = self.now_ms;
        while let Some(moves) = self.moves() {
            assert!(self.now_ms - begun_ms < SETTLES_WITHIN_MS, "still moving: {moves}");
            self.runs_for(100);
        }
        let pulses: Vec<u64> = self.screens.iter().map(|screen| screen.pulses).collect();
        self.runs_for(PULSE_WITHIN_MS);
        for (screen, before) in self.screens.iter().zip(pulses) {
            assert!(!screen.welcomed || screen.pulses > before, "no pulse for {}", screen.device);
        }
        self.everybody_agrees();
    }

    fn moves(&self) -> Option<String> {
        let on_its_way = self.screens.iter().filter(|screen| screen.wants_in).find_map(|screen| {
            let moves = !screen.welcomed || !screen.unanswered.is_empty();
            moves.then(|| format!("{} with {:?}", screen.device, screen.unanswered.keys()))
        });
        let joining = self.tabs.iter().filter(|tab| tab.wants_in && tab.sid.is_none());
        let waits = |person: &str| self.disk.state.class.waiting.contains_key(&person.into());
        let joining = joining.filter(|tab| !waits(&tab.person)).map(|tab| format!("the tab of {}", tab.person)).next();
        let acts = (self.acts_to_come > 0).then(|| "acts to come".to_owned());
        let disk = (!self.up || self.disk.is_busy()).then(|| "the server or its disk".to_owned());
        let socket = self.sockets.values().any(|socket| socket.dead).then(|| "a dead socket".to_owned());
        on_its_way.or(joining).or(acts).or(disk).or(socket)
    }

    fn everybody_agrees(&mut self) {
        self.reads_back_what_there_was();
        places_are_the_logs(&self.disk.events, &self.disk.state);
        let Some(node) = &self.node else { return };
        assert!(*node.state() == self.disk.state, "the node and the disk disagree");
        let stats = node.stats();
        assert_eq!((stats.outstanding_events, stats.outstanding_effects), (0, 0), "held back for nothing");
        let head = self.disk.events.len() as u64;
        self.books.reads_up_to(head, &self.disk.events);
        for screen in self.screens.iter().filter(|screen| screen.welcomed) {
            if screen.sum != self.books.hash_for(&screen.person) {
                self.diverged(&screen.person, &screen.entities, head);
            }
        }
        for tab in self.tabs.iter().filter(|tab| tab.sid.is_some()) {
            let state = &self.disk.state;
            let space_of = |person: &PersonId| state.participants.get(person).map(|known| known.space.clone());
            let (me, here) = (tab.person.as_str().into(), space_of(&tab.person.as_str().into()));
            for other in tab.roster.keys() {
                assert_eq!(space_of(&other.as_str().into()), here, "{} sees {other} of another Space", tab.person);
            }
            let others = state.tracks.values().filter(|track| track.person != me && space_of(&track.person) == here);
            let mut others: Vec<String> = others.map(|track| track.track.0.clone()).collect();
            others.sort();
            let received = tab.media.map(|client| self.media.received_by(ConnKey(client.0))).unwrap_or_default();
            assert_eq!(received, others, "media to {}", tab.person);
        }
    }
}

/// In the log.
impl World {
    /// Every command happened once or not at all, as its sender was told; every answer is in the count.
    pub fn adds_up(&self) {
        self.every_command_happened_as_told();
        self.every_answer_counts();
        places_are_the_logs(&self.disk.events, &self.disk.state);
    }

    fn every_command_happened_as_told(&self) {
        let mut traces: BTreeMap<(PersonId, String), Vec<u64>> = BTreeMap::new();
        for event in &self.disk.events {
            if let (Some(person), Some(cause)) = (&event.actor, &event.cause) {
                traces.entry((person.clone(), cause.id.0.clone())).or_default().push(event.seq.0);
            }
        }
        for (name, asked) in &self.books.asked {
            let trace = traces.remove(name).unwrap_or_default();
            assert!(trace.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{name:?} happened twice: {trace:?}");
            let Some(heard) = &asked.heard else { continue };
            let told: Vec<u64> =
                heard.places.iter().flat_map(|(first, last)| *first..=*last).chain(heard.kept).collect();
            assert_eq!(trace, told, "{name:?} was told {heard:?}");
        }
        assert!(traces.is_empty(), "in the log, and nobody asked for it: {traces:?}");
    }

    fn every_answer_counts(&self) {
        let mut counts: BTreeMap<Seq, Count> = BTreeMap::new();
        for event in &self.disk.events {
            let Fact::Class(fact) = &event.fact else { continue };
            match fact {
                ClassFact::ActivityCreated { spec, .. } => drop(counts.insert(event.seq, Count::of(spec))),
                ClassFact::PollResponded { poll, person, answers, .. } => {
                    let sent = self.answers_sent(event, person);
                    assert!(answers.as_ref().is_none_or(|answers| *answers == sent), "not what {person} answered");
                    let count = counts.get_mut(poll).expect("a poll");
                    count.responds(person, sent);
                }
                ClassFact::PollResponseLate { poll, person, answers } => {
                    let count = counts.get_mut(poll).expect("a poll");
                    count.late.insert(person.clone(), answers.clone());
                }
                ClassFact::PollClosed { poll, tally, counted, submitted, kept, discarded, .. } => {
                    let count = counts.get_mut(poll).expect("a poll");
                    assert!(!std::mem::replace(&mut count.closed, true), "{poll} closes twice");
                    for draft in submitted {
                        let before = count.answers.insert(draft.person.clone(), draft.answers.clone());
                        assert_eq!(before, None, "the draft of {} takes the place of an answer", draft.person);
                    }
                    count.late.extend(kept.iter().map(|draft| (draft.person.clone(), draft.answers.clone())));
                    assert_eq!(*counted as usize, count.answers.len(), "of {poll}");
                    count.is_announced(*poll, tally.as_ref());
                    self.no_draft_is_lost(*poll, count, discarded);
                }
                ClassFact::PollRevised { poll, admitted, tally, counted, .. } => {
                    let count = counts.get_mut(poll).expect("a poll");
                    for person in admitted {
                        let answers = count.late.remove(person).expect("a late answer");
                        count.answers.insert(person.clone(), answers);
                    }
                    assert_eq!(*counted as usize, count.answers.len(), "of {poll}");
                    count.is_announced(*poll, Some(tally));
                }
                _ => {}
            }
        }
        for (poll, count) in &counts {
            let known = &self.disk.state.class.polls[poll];
            assert!(known.responses.keys().eq(count.answers.keys()), "who answered {poll}");
            if count.is_anonymous() {
                let (mut cast, mut kept) =
                    (count.ballots.clone(), self.disk.ballots.get(poll).cloned().unwrap_or_default());
                cast.sort_unstable();
                kept.sort_unstable();
                assert_eq!(cast, kept, "the ballots of {poll}");
            } else {
                let responses = known.responses.iter().all(|(who, has)| has.as_ref() == count.answers.get(who));
                assert!(responses, "the answers to {poll}");
            }
            let is_closed = known.status == PollStatus::Closed;
            assert_eq!(is_closed, count.closed, "of {poll}");
        }
    }

    fn answers_sent(&self, event: &Event, person: &PersonId) -> Answers {
        let cause = event.cause.as_ref().expect("somebody answered");
        let asked = self.books.asked.get(&(person.clone(), cause.id.0.clone())).expect("an answer that was sent");
        let ClassCommand::PollRespond { answers, .. } = &asked.command else { panic!("no answer: {event:?}") };
        answers.clone()
    }

    /// A draft that was said to be kept is counted, kept for the teacher, or thrown away by the poll's own rule.
    fn no_draft_is_lost(&self, poll: Seq, count: &Count, discarded: &[PersonId]) {
        let mut drafts: BTreeMap<&PersonId, Vec<(&Asked, &Answers)>> = BTreeMap::new();
        for ((person, _), asked) in &self.books.asked {
            if let ClassCommand::PollSaveDraft { poll: of, answers } = &asked.command
                && *of == poll
            {
                drafts.entry(person).or_default().push((asked, answers));
            }
        }
        for (person, drafts) in drafts {
            let is_safe = |asked: &Asked| asked.said.as_ref().is_some_and(|(_, ack)| ack.accepted);
            let safe = drafts.iter().filter(|(asked, _)| is_safe(asked)).max_by_key(|(asked, _)| asked.said_at);
            let Some((_, last)) = safe else { continue };
            let unsure = drafts.iter().filter(|(asked, _)| asked.said.is_none()).map(|(_, answers)| *answers);
            let may_be: Vec<&Answers> = unsure.chain([*last]).collect();
            let has_answered = count.has_responded.contains(person);
            let is_there = || {
                let counted = count.answers.get(person).or_else(|| count.late.get(person));
                counted.is_some_and(|answers| may_be.contains(&answers))
            };
            let is_discarded = discarded.contains(person) && count.spec.drafts == DraftPolicy::Discard;
            assert!(has_answered || is_discarded || is_there(), "the draft of {person} for {poll} is lost: {may_be:?}");
        }
    }
}

/// One poll, counted a second time.
struct Count {
    spec: PollSpec,
    answers: BTreeMap<PersonId, Answers>,
    has_responded: BTreeSet<PersonId>,
    ballots: Vec<Answers>,
    late: BTreeMap<PersonId, Answers>,
    closed: bool,
}

impl Count {
    fn of(spec: &PollSpec) -> Self {
        let (answers, late, has_responded) = Default::default();
        Self { spec: spec.clone(), answers, has_responded, ballots: Vec::new(), late, closed: false }
    }

    fn is_anonymous(&self) -> bool {
        self.spec.anonymity == Anonymity::Anonymous
    }

    fn responds(&mut self, person: &PersonId, answers: Answers) {
        self.late.remove(person);
        self.has_responded.insert(person.clone());
        self.ballots.push(answers.clone());
        let before = self.answers.insert(person.clone(), answers);
        assert!(before.is_none() || self.spec.allow_change, "{person} answers twice");
    }

    fn is_announced(&self, poll: Seq, tally: Option<&Tally>) {
        if self.is_anonymous() && self.answers.len() < BATCH {
            return assert_eq!(tally, None, "so few give each other away: {poll}");
        }
        let tally = tally.unwrap_or_else(|| panic!("{poll} closes without a count"));
        assert_eq!(tally.people as usize, self.answers.len(), "people who answered {poll}");
        let mut options = vec![0u32; self.spec.items[0].options.len()];
        for answer in self.answers.values().flat_map(|answers| answers.iter().flatten()) {
            let Answer::Options { options: chosen } = answer else { continue };
            chosen.iter().for_each(|option| options[usize::from(*option)] += 1);
        }
        assert_eq!(tally.items[0], options, "the count of {poll}");
    }
}

/// Where everybody is, read from the log without its fold.
fn places_are_the_logs(log: &[Event], state: &State) {
    let mut places: BTreeMap<&PersonId, SpaceName> = BTreeMap::new();
    let mut groups: BTreeSet<SpaceName> = BTreeSet::new();
    for event in log {
        match &event.fact {
            Fact::ParticipantAdmitted { person, space, .. } => drop(places.insert(person, space.clone())),
            Fact::ParticipantMoved { persons, space } => {
                persons.iter().for_each(|person| drop(places.insert(person, space.clone())));
            }
            Fact::Class(ClassFact::BreakoutsPlanned { groups: planned, .. }) => {
                groups = planned.keys().cloned().collect();
            }
            Fact::Class(ClassFact::BreakoutsOpened { placements, .. }) => {
                placements.iter().for_each(|(person, space)| drop(places.insert(person, space.clone())));
            }
            Fact::Class(ClassFact::BreakoutsClosed {}) => {
                places.values_mut().for_each(|place| *place = SpaceName::default());
                groups.clear();
            }
            _ => {}
        }
    }
    for (person, known) in &state.participants {
        assert_eq!(Some(&known.space), places.get(person), "where {person} is");
        let is_there = known.space.is_main() || groups.contains(&known.space);
        assert!(is_there, "{person} is in {}, which no group has", known.space);
    }
}

fn is_of(event: &Event, person: &PersonId, id: &str) -> bool {
    event.actor.as_ref() == Some(person) && event.cause.as_ref().is_some_and(|cause| cause.id.0 == id)
}

/// What a person may see, in rules of its own: who does not teach sees what is said and shown where they are.
fn may_see(fold: &State, person: &PersonId, shown: &Shown) {
    is_for(fold, person, &shown.changes);
    let Some((here, false)) = standing(fold, person) else { return };
    let (kind, payload) = (shown.event["type"].as_str().unwrap_or_default(), &shown.event["payload"]);
    let families = ["chat.", "stage.", "presenter.", "page.", "board.", "notes.", "help.", "reaction."];
    if families.iter().any(|family| kind.starts_with(family)) {
        let named = payload["space"].as_str().or_else(|| payload["to"]["space"].as_str());
        assert!(
            named.is_none_or(|space| here.contains(space)),
            "{person} hears of {space:?}: {}",
            shown.event,
            space = named
        );
    }
    if kind == "poll.responded" {
        assert_eq!(payload["person"], person.0.as_str(), "somebody else's answer");
    }
}

fn is_for(fold: &State, person: &PersonId, changes: &[Change]) {
    let Some((here, is_staff)) = standing(fold, person) else {
        let own = |change: &Change| change.is.is_none() || change.key == ("waiting".to_owned(), person.0.clone());
        return assert!(changes.iter().all(own), "{person} is not admitted and sees {changes:?}");
    };
    if is_staff {
        return;
    }
    for Change { key: (collection, id), is } in changes {
        let Some(held) = is else { continue };
        let value = &held.value;
        let is_theirs = match collection.as_str() {
            "messages" => match value["to"]["kind"].as_str() {
                Some("space") => value["to"]["space"].as_str().is_some_and(|space| here.contains(space)),
                Some("pair") => value["to"]["a"] == person.0.as_str() || value["to"]["b"] == person.0.as_str(),
                _ => value["author"] == person.0.as_str(),
            },
            "spaces" => here.contains(id.as_str()),
            "grants" => *id == person.0,
            "responses" => id.split_once(':').is_some_and(|(_, of)| of == person.0),
            "waiting" | "bans" => false,
            "reports" => value["author"] == person.0.as_str(),
            _ => true,
        };
        assert!(is_theirs, "{person}, who is in {here:?}, is shown {collection} {id}: {value}");
    }
}

/// The Spaces that somebody is in, and whether they teach; `None` if they are not in the class.
fn standing(fold: &State, person: &PersonId) -> Option<(BTreeSet<String>, bool)> {
    let seat = fold.participants.get(person).filter(|seat| seat.presence != lyceum_session::Presence::Left)?;
    let visit = fold.class.members.get(person).and_then(|member| member.visit.clone());
    let here = [seat.space.0.clone()].into_iter().chain(visit.map(|space| space.0));
    Some((here.collect(), seat.profile.role.is_staff()))
}

fn should_see(state: &State, person: &PersonId) -> Entities {
    let seen = state.snapshot_for(&state.viewer(person)).into_iter().map(|(key, entity)| {
        let key = name_of(&key);
        let value = serde_json::to_value(&entity).expect("entities are JSON");
        let hash = hash_of(&key, &value);
        (key, Rc::new(Held { value, hash }))
    });
    seen.collect()
}

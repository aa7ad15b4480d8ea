//! A lesson as one could keep it on a sheet of paper: who is there, whose hand is up, who presents where, who sits in which
//! group, and one poll. It makes no events; it says which answer each command should get, and how the class looks then.

use std::collections::{BTreeMap, BTreeSet};

/// What one person tries, or what happens to them.
#[derive(Clone, Debug)]
pub enum Try {
    Raise,
    Lower,
    Call(&'static str),
    DismissAll,
    Assign(&'static str),
    Take,
    Release,
    Role(&'static str, Rank),
    Remove(&'static str),
    Lift(&'static str),
    Move(Vec<&'static str>, &'static str),
    Return,
    /// An option, and how long ago a server had it in its hands first.
    Respond(u16, Option<u64>),
    ClosePoll(u64),
    AdmitLate(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rank {
    Learner,
    Assistant,
    Leader,
}

/// What a command should get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gets {
    Done,
    Nothing,
    No(&'static str),
}

const PRESENTER_GRACE: u64 = 20_000;
const TOLERANCE: u64 = 150;

#[derive(Clone, Debug, Default)]
pub struct Paper {
    pub now: u64,
    pub seats: BTreeMap<&'static str, Seat>,
    pub removed: BTreeSet<&'static str>,
    pub hands: Vec<&'static str>,
    /// Who presents, and when they lose it.
    pub presenters: BTreeMap<&'static str, (&'static str, Option<u64>)>,
    pub former: BTreeMap<&'static str, &'static str>,
    pub groups: bool,
    pub hands_locked: bool,
    pub poll: Option<PaperPoll>,
}

#[derive(Clone, Debug)]
pub struct Seat {
    pub rank: Rank,
    pub online: bool,
    pub gone: bool,
    pub place: &'static str,
}

#[derive(Clone, Debug, Default)]
pub struct PaperPoll {
    pub asked: BTreeSet<&'static str>,
    pub answers: BTreeMap<&'static str, u16>,
    pub late: BTreeMap<&'static str, u16>,
    pub closes_at: Option<u64>,
    pub accept_until: Option<u64>,
    pub closed: bool,
}

impl Paper {
    /// Comes in, or comes back. Whether they may.
    pub fn comes(&mut self, who: &'static str, rank: Rank) -> bool {
        if self.removed.contains(who) {
            return false;
        }
        let listed = match who {
            "ann" => "b1",
            "bob" => "b2",
            _ => "main",
        };
        let before = self.seats.get(who).cloned();
        let seat = match before {
            Some(seat) if !seat.gone => Seat { online: true, ..seat },
            before => {
                let was = before.map_or("main", |seat| seat.place);
                let place = if self.groups && was == "main" { listed } else { was };
                Seat { rank, online: true, gone: false, place }
            }
        };
        let is_new = self.sits(who).is_none();
        let (rank, place) = (seat.rank, seat.place);
        self.seats.insert(who, seat);
        for (holder, lost_at) in self.presenters.values_mut() {
            if *holder == who {
                *lost_at = None;
            }
        }
        if !is_new && self.former.get(place) == Some(&who) {
            self.former.remove(place);
            self.presenters.insert(place, (who, None));
        }
        if is_new
            && rank == Rank::Learner
            && let Some(poll) = self.poll.as_mut().filter(|poll| !poll.closed)
        {
            poll.asked.insert(who);
        }
        true
    }

    pub fn loses_network(&mut self, who: &'static str) {
        let due = self.now + PRESENTER_GRACE;
        if let Some(seat) = self.seats.get_mut(who) {
            seat.online = false;
        }
        for (holder, lost_at) in self.presenters.values_mut() {
            if *holder == who {
                *lost_at = Some(due);
            }
        }
    }

    pub fn leaves(&mut self, who: &'static str) {
        if let Some(seat) = self.seats.get_mut(who) {
            (seat.gone, seat.online) = (true, false);
        }
        self.hands.retain(|up| *up != who);
        self.presents_only_where_they_are();
    }

    pub fn opens_groups(&mut self) {
        self.groups = true;
        for (who, place) in [("ann", "b1"), ("bob", "b2")] {
            if let Some(seat) = self.seats.get_mut(who).filter(|seat| !seat.gone) {
                seat.place = place;
            }
        }
        self.presents_only_where_they_are();
    }

    pub fn closes_groups(&mut self) {
        self.groups = false;
        self.seats.values_mut().for_each(|seat| seat.place = "main");
        self.presents_only_where_they_are();
        self.former.retain(|space, _| *space == "main");
    }

    pub fn opens_poll(&mut self) {
        let asked = self.seats.iter().filter(|(_, seat)| !seat.gone && seat.rank == Rank::Learner).map(|(who, _)| *who);
        self.poll = Some(PaperPoll { asked: asked.collect(), ..PaperPoll::default() });
    }

    /// Time passes, deadline by deadline.
    pub fn waits(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(due) = self.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            if let Some(poll) = self.poll.as_mut().filter(|poll| poll.accept_until == Some(due)) {
                poll.closed = true;
            }
            let lost: Vec<_> =
                self.presenters.iter().filter(|(_, (_, at))| *at == Some(due)).map(|(s, p)| (*s, p.0)).collect();
            for (space, holder) in lost {
                let heir = self.seats.iter().find(|(who, seat)| {
                    **who != holder && seat.rank == Rank::Leader && seat.online && seat.place == space
                });
                match heir {
                    Some((heir, _)) => self.presenters.insert(space, (heir, None)),
                    None => self.presenters.remove(space),
                };
                self.former.insert(space, holder);
            }
        }
        self.now = until;
    }

    fn next_deadline(&self) -> Option<u64> {
        let poll = self.poll.as_ref().filter(|poll| !poll.closed).and_then(|poll| poll.accept_until);
        self.presenters.values().filter_map(|(_, lost_at)| *lost_at).chain(poll).min()
    }

    pub fn sits(&self, who: &str) -> Option<&Seat> {
        self.seats.get(who).filter(|seat| !seat.gone)
    }

    fn presents_only_where_they_are(&mut self) {
        let seats = self.seats.clone();
        let is_there = |space: &str, who: &str| seats.get(who).is_some_and(|seat| !seat.gone && seat.place == space);
        self.presenters.retain(|space, (holder, _)| is_there(space, holder));
        self.former.retain(|space, who| is_there(space, who));
    }

    pub fn takes(&mut self, who: &'static str, what: &Try) -> Gets {
        let Some(me) = self.sits(who).cloned() else { return Gets::No("not_admitted") };
        let staff = me.rank >= Rank::Assistant;
        let presents = self.presenters.get(me.place).is_some_and(|(holder, _)| *holder == who);
        match what {
            Try::Raise if me.rank == Rank::Learner && self.hands_locked => Gets::No("forbidden"),
            Try::Raise if self.hands.contains(&who) => Gets::Nothing,
            Try::Raise => {
                self.hands.push(who);
                Gets::Done
            }
            Try::Lower => self.lowers(|up| up == who),
            Try::Call(_) if !staff && !presents => Gets::No("forbidden"),
            Try::Call(whom) => match self.lowers(|up| up == *whom) {
                Gets::Nothing => Gets::No("not_found"),
                done => done,
            },
            Try::DismissAll if !staff => Gets::No("forbidden"),
            Try::DismissAll => self.lowers(|_| true),
            Try::Assign(_) | Try::Take if !staff => Gets::No("forbidden"),
            Try::Assign(whom) => match self.sits(whom) {
                None => Gets::No("not_found"),
                Some(seat) if seat.place != me.place => Gets::No("conflict"),
                Some(_) => self.hands_over(me.place, Some(whom)),
            },
            Try::Take => self.hands_over(me.place, Some(who)),
            Try::Release if !self.presenters.contains_key(me.place) => Gets::Nothing,
            Try::Release if !presents && !staff => Gets::No("forbidden"),
            Try::Release => self.hands_over(me.place, None),
            Try::Role(..) if me.rank != Rank::Leader => Gets::No("forbidden"),
            Try::Role(whom, rank) => {
                let leaders = self.seats.values().filter(|seat| !seat.gone && seat.rank == Rank::Leader).count();
                match self.seats.get_mut(whom).filter(|seat| !seat.gone) {
                    None => Gets::No("not_found"),
                    Some(seat) if seat.rank == *rank => Gets::Nothing,
                    Some(seat) if seat.rank == Rank::Leader && leaders == 1 => Gets::No("conflict"),
                    Some(seat) => {
                        seat.rank = *rank;
                        Gets::Done
                    }
                }
            }
            Try::Remove(_) if !staff => Gets::No("forbidden"),
            Try::Remove(whom) if *whom == who => Gets::No("invalid"),
            Try::Remove(whom) => match self.sits(whom).map(|seat| seat.rank) {
                None => Gets::No("not_found"),
                Some(rank) if rank > me.rank => Gets::No("forbidden"),
                Some(_) => {
                    self.leaves(whom);
                    self.removed.insert(whom);
                    Gets::Done
                }
            },
            Try::Lift(whom) => match self.removed.contains(whom) {
                true if staff => {
                    self.removed.remove(whom);
                    Gets::Done
                }
                false if me.rank == Rank::Leader => Gets::No("not_found"),
                _ => Gets::No("forbidden"),
            },
            Try::Move(..) if !staff => Gets::No("forbidden"),
            Try::Move(..) | Try::Return if !self.groups => Gets::No("closed"),
            Try::Move(whom, to) => self.moves(whom, to),
            Try::Return => self.moves(&[who], "main"),
            Try::Respond(option, ago) => self.responds(who, *option, *ago),
            Try::ClosePoll(_) | Try::AdmitLate(_) if me.rank != Rank::Leader && !presents => Gets::No("forbidden"),
            Try::ClosePoll(grace) => {
                let Some(poll) = &mut self.poll else { return Gets::No("not_found") };
                match (poll.closed, poll.accept_until) {
                    (true, _) => Gets::No("closed"),
                    (false, Some(_)) => Gets::Nothing,
                    (false, None) => {
                        (poll.closes_at, poll.accept_until) = (Some(self.now), Some(self.now + grace));
                        poll.closed = *grace == 0;
                        Gets::Done
                    }
                }
            }
            Try::AdmitLate(whom) => {
                let Some(poll) = &mut self.poll else { return Gets::No("not_found") };
                if !poll.closed {
                    return Gets::No("conflict");
                }
                match poll.late.remove(whom) {
                    None => Gets::No("not_found"),
                    Some(option) => {
                        poll.answers.insert(whom, option);
                        Gets::Done
                    }
                }
            }
        }
    }

    fn lowers(&mut self, which: impl Fn(&str) -> bool) -> Gets {
        let before = self.hands.len();
        self.hands.retain(|up| !which(up));
        if self.hands.len() == before { Gets::Nothing } else { Gets::Done }
    }

    fn hands_over(&mut self, space: &'static str, to: Option<&'static str>) -> Gets {
        if self.presenters.get(space).map(|(holder, _)| *holder) == to {
            return Gets::Nothing;
        }
        self.former.remove(space);
        match to {
            None => self.presenters.remove(space),
            Some(to) => {
                let away = self.sits(to).is_none_or(|seat| !seat.online);
                self.presenters.insert(space, (to, away.then_some(self.now + PRESENTER_GRACE)))
            }
        };
        Gets::Done
    }

    fn moves(&mut self, whom: &[&'static str], to: &'static str) -> Gets {
        if whom.is_empty() {
            return Gets::No("invalid");
        }
        if whom.iter().any(|who| self.sits(who).is_none()) {
            return Gets::No("not_found");
        }
        let mut got = Gets::Nothing;
        for who in whom {
            if let Some(seat) = self.seats.get_mut(who).filter(|seat| seat.place != to) {
                seat.place = to;
                got = Gets::Done;
            }
        }
        self.presents_only_where_they_are();
        got
    }

    fn responds(&mut self, who: &'static str, option: u16, ago: Option<u64>) -> Gets {
        let now = self.now;
        let Some(poll) = &mut self.poll else { return Gets::No("not_found") };
        if !poll.asked.contains(who) {
            return Gets::No("forbidden");
        }
        let arrived = ago.map_or(now, |ago| now - ago);
        let tolerance = if ago.is_some() { TOLERANCE } else { 0 };
        if poll.accept_until.is_some_and(|until| arrived > until + tolerance) {
            poll.late.insert(who, option);
            return Gets::No("closed");
        }
        poll.late.remove(who);
        poll.answers.insert(who, option);
        Gets::Done
    }
}

//! Timers that everybody sees. The only deadline is the one in the log.

use super::{Cap, Class, ClassCommand, ClassFact, Desk, Did, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::ids::{PersonId, Seq, Text, UnixMs};
use crate::state::State;
use serde::{Deserialize, Serialize};

/// A timer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timer {
    /// Who started it.
    pub author: Option<PersonId>,
    /// What for.
    pub title: Text,
    /// When it ends; `None` while it is paused.
    pub ends_at: Option<UnixMs>,
    /// What is left of it while it is paused.
    pub left_ms: u64,
}

/// Longest timer: a day.
const LONGEST_MS: u64 = 86_400_000;
/// Most timers at a time.
const MOST_TIMERS: usize = 20;
/// Longest title, in bytes.
const TITLE_BYTES: usize = 200;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    let decided = match command {
        ClassCommand::TimerStart { title, duration_ms } => desk.start_timer(title, *duration_ms),
        ClassCommand::TimerPause { timer } => desk.timer(*timer).and_then(|known| match known.ends_at {
            Some(ends_at) => {
                did(ClassFact::TimerPaused { timer: *timer, left_ms: ends_at.0.saturating_sub(desk.now.0) })
            }
            None => nothing(),
        }),
        ClassCommand::TimerResume { timer } => desk.timer(*timer).and_then(|known| match known.ends_at {
            None => did(ClassFact::TimerRescheduled { timer: *timer, ends_at: desk.now.plus(known.left_ms) }),
            Some(_) => nothing(),
        }),
        ClassCommand::TimerExtend { timer, by_ms } => desk.timer(*timer).and_then(|known| {
            if *by_ms == 0 || *by_ms > LONGEST_MS {
                return Err(Reject::Invalid("a timer is extended by up to a day"));
            }
            match known.ends_at {
                Some(ends_at) => did(ClassFact::TimerRescheduled { timer: *timer, ends_at: ends_at.plus(*by_ms) }),
                None => did(ClassFact::TimerPaused { timer: *timer, left_ms: known.left_ms.saturating_add(*by_ms) }),
            }
        }),
        ClassCommand::TimerStop { timer } => {
            desk.timer(*timer).and_then(|_| did(ClassFact::TimerStopped { timer: *timer }))
        }
        _ => return None,
    };
    Some(decided)
}

impl Desk<'_> {
    fn start_timer(&self, title: &Text, duration_ms: u64) -> Did {
        self.need(Cap::TimerRun, "running timers is not permitted")?;
        if duration_ms == 0 || duration_ms > LONGEST_MS {
            return Err(Reject::Invalid("a timer runs for up to a day"));
        }
        if title.0.len() > TITLE_BYTES || self.class.timers.len() >= MOST_TIMERS {
            return Err(Reject::Limit("too many timers, or too long a title"));
        }
        let (author, title) = (self.ctx.actor.clone(), title.clone());
        did(ClassFact::TimerStarted { author, title, ends_at: self.now.plus(duration_ms) })
    }

    fn timer(&self, timer: Seq) -> Result<&Timer, Reject> {
        self.need(Cap::TimerRun, "running timers is not permitted")?;
        self.class.timers.get(&timer).ok_or(Reject::NotFound("no such timer"))
    }
}

pub(super) fn apply(state: &mut State, event: &Event, fact: &ClassFact) -> bool {
    let timers = &mut state.class.timers;
    match fact {
        ClassFact::TimerStarted { author, title, ends_at } => {
            let (author, title) = (author.clone(), title.clone());
            timers.insert(event.seq, Timer { author, title, ends_at: Some(*ends_at), left_ms: 0 });
        }
        ClassFact::TimerPaused { timer, left_ms } => {
            if let Some(timer) = timers.get_mut(timer) {
                (timer.ends_at, timer.left_ms) = (None, *left_ms);
            }
        }
        ClassFact::TimerRescheduled { timer, ends_at } => {
            if let Some(timer) = timers.get_mut(timer) {
                (timer.ends_at, timer.left_ms) = (Some(*ends_at), 0);
            }
        }
        ClassFact::TimerStopped { timer } | ClassFact::TimerEnded { timer } => {
            timers.remove(timer);
        }
        _ => return false,
    }
    true
}

pub(super) fn tick(desk: &Desk<'_>) -> Vec<ClassFact> {
    let over = desk.class.timers.iter().filter(|(_, timer)| timer.ends_at.is_some_and(|due| due <= desk.now));
    over.map(|(timer, _)| ClassFact::TimerEnded { timer: *timer }).collect()
}

pub(super) fn timeouts(class: &Class) -> Vec<(UnixMs, &'static str)> {
    class.timers.values().filter_map(|timer| Some((timer.ends_at?, "timer"))).collect()
}

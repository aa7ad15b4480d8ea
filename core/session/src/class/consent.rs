//! Recording, which this server cannot do yet, and who agreed to be recorded.

use super::{Cap, ClassCommand, ClassFact, Desk, Did, did, nothing};
use crate::command::Reject;
use crate::event::Event;
use crate::state::State;

pub(super) fn decide(desk: &Desk<'_>, command: &ClassCommand) -> Option<Did> {
    Some(match command {
        ClassCommand::RecordStart {} | ClassCommand::RecordPause {} | ClassCommand::RecordStop {} => (|| {
            desk.need(Cap::RecordControl, "recording is not permitted")?;
            Err(Reject::Unavailable("this server does not record"))
        })(),
        ClassCommand::ConsentGive {} | ClassCommand::ConsentDecline {} => (|| {
            let person = desk.actor()?;
            let record = matches!(command, ClassCommand::ConsentGive {});
            if desk.member(person)?.consent == Some(record) {
                return nothing();
            }
            did(ClassFact::ConsentChanged { person: person.clone(), record })
        })(),
        _ => return None,
    })
}

pub(super) fn apply(state: &mut State, _event: &Event, fact: &ClassFact) -> bool {
    let ClassFact::ConsentChanged { person, record } = fact else { return false };
    if let Some(member) = state.class.members.get_mut(person) {
        member.consent = Some(*record);
    }
    true
}

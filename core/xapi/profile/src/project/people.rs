//! Who was let in and who was not, roles, presenters, moderation, consent.

use super::{Desk, Draft, plain};
use crate::iri::{extensions as ext, types, verbs};
use lyceum_session::class::ClassFact;
use lyceum_session::{Fact, PersonId, Role};
use lyceum_xapi::Json;

pub(super) fn before(desk: &mut Desk<'_>) {
    match &desk.event.fact {
        Fact::ParticipantAdmitted { person, .. } if desk.state.class.waiting.contains_key(person) => {
            let who = desk.agent(person);
            desk.tell(Draft::new("admitted", desk.actor(), verbs::ADMITTED, who));
        }
        Fact::ParticipantUpdated { person, profile } => changed_role(desk, person, profile.role),
        Fact::Class(fact) => class(desk, fact),
        _ => {}
    }
}

fn class(desk: &mut Desk<'_>, fact: &ClassFact) {
    match fact {
        ClassFact::ParticipantDenied { person, banned } => {
            let who = desk.agent(person);
            let denied = Draft::new("denied", desk.actor(), verbs::DENIED, who).with(ext::BANNED, Json::Bool(*banned));
            desk.tell(denied);
        }
        ClassFact::RoleChanged { person, role } => changed_role(desk, person, *role),
        ClassFact::PresenterChanged { space, from, to, reason } => {
            let changes = [(from, "revoked", verbs::REVOKED_PRESENTER), (to, "granted", verbs::GRANTED_PRESENTER)];
            for (person, part, verb) in changes {
                let Some(person) = person else { continue };
                let who = desk.agent(person);
                let mut changed = Draft::new(part, desk.actor(), verb, who).with(ext::CAUSE, plain(reason));
                if !space.is_main() {
                    changed = changed.part_of(desk.breakout(space)).in_team(desk.team(space));
                }
                desk.tell(changed);
            }
        }
        ClassFact::MediaMuted { persons } => {
            for (place, person) in persons.iter().enumerate() {
                let who = desk.agent(person);
                let muted = Draft::new(format!("moderated/{place}"), desk.actor(), verbs::MODERATED, who)
                    .with(ext::MODERATION_ACTION, "mute");
                desk.tell(muted);
            }
        }
        ClassFact::ParticipantRemoved { person, banned } => {
            let who = desk.agent(person);
            let removed = Draft::new("removed", desk.actor(), verbs::REMOVED, who)
                .with(ext::MODERATION_ACTION, if *banned { "ban" } else { "remove" });
            desk.tell(removed);
        }
        ClassFact::ConsentChanged { person, record } => {
            let consent = desk.thing("consent", "recording", types::CONSENT);
            let answered = Draft::new("consented", Some(person), verbs::CONSENTED, consent)
                .outcome(ext::CONSENT, Json::Bool(*record));
            desk.tell(answered);
        }
        _ => {}
    }
}

fn changed_role(desk: &mut Desk<'_>, person: &PersonId, to: Role) {
    let Some(from) = desk.role(person).filter(|from| *from != to && desk.is_told_of(person)) else { return };
    let who = desk.agent(person);
    let changed = Draft::new("changed-role", desk.actor(), verbs::CHANGED_ROLE, who)
        .with(ext::ROLE_FROM, plain(&from))
        .with(ext::ROLE_TO, plain(&to));
    desk.tell(changed);
}

//! Scenarios that client test suites ask for (`simulate`). They touch nobody but the client that asks.

use crate::api::ClientId;
use crate::clients::media_of;
use crate::node::Node;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use proto::leave_request::Action;
use proto::request_response::Reason;
use proto::simulate_scenario::Scenario;
use proto::{CandidateProtocol, DisconnectReason};
use session::DetachReason;

/// What happens to the next socket on which a client resumes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NextResume {
    /// It is closed after what is told on it.
    Closed,
    /// It is closed before anything is told on it.
    ClosedUnheard,
}

impl Node {
    pub(crate) fn simulate(&mut self, id: ClientId, scenario: Option<Scenario>) {
        match scenario {
            Some(Scenario::SpeakerUpdate(seconds)) => self.pretend_to_speak(id, seconds),
            Some(Scenario::ServerLeave(_)) => {
                let leave = wire::leave(DisconnectReason::ServerShutdown, Action::Disconnect);
                self.dismiss(id, leave, DetachReason::ServerStopped);
            }
            Some(Scenario::LeaveRequestFullReconnect(_)) => {
                let leave = wire::leave(DisconnectReason::ServerShutdown, Action::Reconnect);
                self.dismiss(id, leave, DetachReason::ServerStopped);
            }
            // As if the server had died: nothing is said, and there is nothing to come back to.
            Some(Scenario::NodeFailure(_)) => {
                let Some(client) = self.dismiss_at_once(id) else { return };
                let (connection, last_seen) = (client.connection, self.now);
                let reason = DetachReason::ServerStopped;
                self.commit_departure(&session::Command::Detach { connection, reason, last_seen }, None);
            }
            // As if the client's connection went over to another server: the socket ends, and the client resumes.
            Some(Scenario::Migration(_)) => self.lose(id, self.now),
            Some(Scenario::DisconnectSignalOnResume(_)) => self.at_next_resume(id, NextResume::Closed),
            Some(Scenario::DisconnectSignalOnResumeNoMessages(_)) => {
                self.at_next_resume(id, NextResume::ClosedUnheard);
            }
            // Whoever has a working socket and hears nothing: ICE is restarted as in a resume, over the same socket.
            Some(Scenario::SwitchCandidateProtocol(to)) if to == i32::from(CandidateProtocol::Udp) => {
                self.tell_media(sfu::Command::RestartIce { conn: media_of(id) });
            }
            _ => self.refuse(id, Reason::UnsupportedType, "this scenario is not supported", None),
        }
    }

    fn at_next_resume(&mut self, id: ClientId, what: NextResume) {
        if let Some(client) = self.clients.get_mut(id) {
            client.at_next_resume = Some(what);
        }
    }

    /// A client has resumed, and had asked for trouble when it does.
    pub(crate) fn obey_scenario(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        match client.at_next_resume.take() {
            None => {}
            Some(NextResume::ClosedUnheard) => self.lose(id, self.now),
            Some(NextResume::Closed) => self.log.after(crate::log::Effect::Lose { client: id }),
        }
    }
}

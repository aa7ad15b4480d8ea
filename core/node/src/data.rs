//! Data messages between clients: stamped with who sent them, and sent on to whom they are for. They are not logged. Chat, RPC
//! and streams are the clients' own business inside them.

use crate::api::ClientId;
use crate::clients::Client;
use crate::node::Node;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use prost::Message as _;
use proto::DataPacket;
use proto::data_packet::Value;
use proto::request_response::Reason;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Node {
    pub(crate) fn data(&mut self, conn: sfu::ConnKey, lane: sfu::Lane, bytes: &[u8]) {
        let now = self.now;
        let Some(client) = self.clients.of_media_mut(conn) else { return };
        let id = client.id;
        if !client.data_messages.take(1, now) || !client.data_bytes.take(bytes.len(), now) {
            self.stats.flooded_data += 1;
            self.complain(id, Reason::LimitExceeded, "too much data a second; this message was dropped".to_owned());
            return;
        }
        if let Err((reason, why)) = self.try_to_relay(id, lane, bytes) {
            self.stats.refused_data += 1;
            self.complain(id, reason, format!("data message: {why}"));
        }
    }

    fn try_to_relay(&mut self, id: ClientId, lane: sfu::Lane, bytes: &[u8]) -> Result<(), (Reason, &'static str)> {
        if bytes.len() > self.config.limits.data_message_bytes {
            return Err((Reason::LimitExceeded, "too long"));
        }
        let Some(client) = self.clients.get_mut(id) else { return Ok(()) };
        let Some(known) = self.log.state.participants.get(&client.person) else { return Ok(()) };
        if !self.log.state.permission(&client.person).is_some_and(|permission| permission.can_publish_data) {
            return Err((Reason::NotAllowed, "sending data is not permitted"));
        }
        let mut packet = DataPacket::decode(bytes).map_err(|_| (Reason::InvalidRequest, "not a DataPacket"))?;
        let is_agent = known.profile.kind == session::Kind::Agent;
        if !may_relay(packet.value.as_ref(), is_agent)? {
            return Ok(());
        }
        if lane == sfu::Lane::Reliable && packet.sequence > 0 {
            // A client that came back sends again what it does not know to have arrived.
            if packet.sequence <= client.last_data_sequence {
                return Ok(());
            }
            client.last_data_sequence = packet.sequence;
        }
        let sender = Sender { client, is_agent, hidden: known.profile.permission.hidden };
        let destination_sids = sender.stamp(&mut packet, lane);
        let (sender, person) = (client.id, client.person.clone());
        let is_for = |client: &Client| client.id != sender && self.are_known_to_be_together(&person, &client.person);
        let receivers = self.receivers(&packet.destination_identities, &destination_sids, is_for);
        if !receivers.is_empty() {
            let bytes: Arc<[u8]> = Arc::from(packet.encode_to_vec());
            if lane == sfu::Lane::Reliable {
                self.replay.keep(self.now, &packet.participant_sid, packet.sequence, &receivers, &bytes);
            }
            self.tell_media(sfu::Command::SendData { to: receivers, lane, bytes });
        }
        Ok(())
    }

    /// Those who are named, or else everybody, as far as it is for them.
    pub(crate) fn receivers(
        &self,
        identities: &[String],
        sids: &[String],
        is_for: impl Fn(&Client) -> bool,
    ) -> Vec<sfu::ConnKey> {
        let identities: BTreeSet<&str> = identities.iter().map(String::as_str).collect();
        let sids: BTreeSet<&str> = sids.iter().map(String::as_str).collect();
        let for_everybody = identities.is_empty() && sids.is_empty();
        self.clients
            .iter()
            .filter(|client| client.is_welcome() && is_for(client))
            .filter(|client| {
                for_everybody
                    || identities.contains(client.person.0.as_str())
                    || sids.contains(client.connection.0.as_str())
            })
            .map(Client::conn)
            .collect()
    }
}

/// Whether a packet of this kind is passed on; an error if its sender must not send it.
#[allow(deprecated)] // `speaker` is what servers of long ago sent.
fn may_relay(value: Option<&Value>, is_agent: bool) -> Result<bool, (Reason, &'static str)> {
    match value {
        None => Err((Reason::InvalidRequest, "empty or of an unknown kind")),
        Some(Value::Speaker(_)) => Err((Reason::NotAllowed, "only the server tells who is speaking")),
        Some(Value::Transcription(_)) if !is_agent => Err((Reason::NotAllowed, "only agents send transcriptions")),
        Some(Value::Metrics(_)) => Ok(false), // For the server's eyes only.
        Some(_) => Ok(true),
    }
}

/// Who sends a packet.
struct Sender<'a> {
    client: &'a Client,
    is_agent: bool,
    hidden: bool,
}

impl Sender<'_> {
    /// Writes the sender into the packet, in the fields of today and in those that old clients read. Returns the old form of
    /// destinations, by sid.
    #[allow(deprecated)]
    fn stamp(&self, packet: &mut DataPacket, lane: sfu::Lane) -> Vec<String> {
        let (sid, identity) = if self.hidden {
            (String::new(), String::new())
        } else {
            (self.client.connection.0.clone(), self.client.person.0.clone())
        };
        packet.kind = match lane {
            sfu::Lane::Reliable => proto::data_packet::Kind::Reliable,
            sfu::Lane::Lossy => proto::data_packet::Kind::Lossy,
        }
        .into();
        packet.participant_sid = sid.clone();
        if !self.speaks_for_somebody(packet) {
            packet.participant_identity = identity.clone();
        }
        let Some(Value::User(user)) = &mut packet.value else { return Vec::new() };
        user.participant_sid = sid;
        user.participant_identity = identity;
        if packet.destination_identities.is_empty() {
            packet.destination_identities = user.destination_identities.clone();
        } else {
            user.destination_identities = packet.destination_identities.clone();
        }
        user.destination_sids.clone()
    }

    /// An agent may say whose words it writes down.
    fn speaks_for_somebody(&self, packet: &DataPacket) -> bool {
        let text = matches!(
            packet.value,
            Some(Value::Transcription(_) | Value::StreamHeader(_) | Value::StreamChunk(_) | Value::StreamTrailer(_))
        );
        self.is_agent && text && !packet.participant_identity.is_empty()
    }
}

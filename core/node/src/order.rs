//! Orders: what somebody wants who may administer the class. Each is answered once what it changed, and all that happened
//! before, is durable, and its effects on media come before its answer.

use crate::api::{Answer, Order, OrderId};
use crate::limits::longer_than;
use crate::log::Effect;
use crate::node::{Node, Phase};
use crate::publish::LOG_IS_BEHIND;
use crate::subscribe::NotReceived;
use crate::wire;
use livekit_protocol as proto;
use lyceum_session as session;
use lyceum_sfu as sfu;
use prost::Message as _;
use proto::request_response::Reason;
use proto::signal_response::Message;
use session::{Command, EndReason, PersonId, Reject, TrackId};
use std::sync::Arc;

const NOT_HERE: Reject = Reject::NotFound("this person is not in the class");
const NOT_CONNECTED: Reject = Reject::NotFound("this person is not connected");
const NO_TRACK: Reject = Reject::NotFound("this person publishes no such track");

impl Node {
    pub(crate) fn order(&mut self, id: OrderId, order: Order) {
        if let Order::Command { actor, command } = order {
            return self.order_command(id, actor, *command);
        }
        let result = if self.phase == Phase::Live { self.try_to_do(order) } else { Err(Reject::SessionEnded) };
        if let Err(reject) = &result {
            tracing::info!(%reject, "an order was refused");
        }
        self.log.after(Effect::Reply { id, result });
    }

    fn try_to_do(&mut self, order: Order) -> Result<Answer, Reject> {
        match order {
            Order::LookAtRoom => Ok(self.room_answer()),
            Order::LookAtPeople => {
                Ok(Answer::People(self.roster.people().filter_map(|person| self.info(person)).collect()))
            }
            Order::LookAtPerson(person) => self.person_answer(&person),
            Order::Remove(person) => self.done(&Command::Remove { person }),
            Order::End => self.done(&Command::End { reason: EndReason::Ended }),
            Order::Move { persons, space } => {
                self.log_takes_more()?;
                self.done(&Command::Move { persons, space })
            }
            Order::Update(update) => self.update_person(*update),
            Order::Mute(mute) => self.mute_track(mute),
            Order::Subscribe(wanted) => self.subscribe_person(&wanted),
            Order::SendData(request) => self.send_data(request),
            Order::LookAtClass { viewer } => self.look_at_class(viewer.as_ref()).map(Answer::Class),
            Order::LookAtDeck { person, deck, brings } => {
                let state = &self.log.state;
                let look = if brings { session::State::deck_from } else { session::State::deck_for };
                look(state, person.as_ref(), deck).map(|deck| Answer::Deck(Box::new(deck.clone())))
            }
            // Answered by an outcome, above.
            Order::Command { .. } => Err(Reject::Invalid("a command has an outcome")),
            Order::DescribeRoom { metadata } => {
                self.log_takes_more()?;
                if metadata.len() > self.config.limits.metadata_bytes {
                    return Err(Reject::Limit("the metadata is too long"));
                }
                self.commit(&Command::DescribeRoom { metadata }, None)?;
                Ok(self.room_answer())
            }
        }
    }

    fn done(&mut self, command: &Command) -> Result<Answer, Reject> {
        self.commit(command, None)?;
        Ok(Answer::Done(self.log.state.seq))
    }

    fn log_takes_more(&self) -> Result<(), Reject> {
        if self.is_behind() { Err(Reject::Limit(LOG_IS_BEHIND)) } else { Ok(()) }
    }

    fn room_answer(&self) -> Answer {
        Answer::Room(Box::new(self.room_info(None)))
    }

    fn person_answer(&self, person: &PersonId) -> Result<Answer, Reject> {
        self.info(person).map(|info| Answer::Person(Box::new(info))).ok_or(NOT_HERE)
    }

    /// Whether somebody is hidden or a recorder was decided when they came in and stays.
    fn update_person(&mut self, update: proto::UpdateParticipantRequest) -> Result<Answer, Reject> {
        self.log_takes_more()?;
        let person = PersonId(update.identity);
        self.roster.seat(&person).ok_or(NOT_HERE)?;
        let before = self.log.state.participants.get(&person).ok_or(NOT_HERE)?.profile.clone();
        let attributes = update.attributes.into_iter().collect();
        let changed = self.changed_profile(&before, update.name, update.metadata, attributes);
        let mut profile = changed.map_err(|(reason, _)| match reason {
            Reason::NotAllowed => Reject::Forbidden("attributes that begin with `lyceum.` are set by the server"),
            _ => Reject::Limit("the name, the metadata or the attributes are too long"),
        })?;
        if let Some(permission) = &update.permission {
            profile.permission = wire::permission_from(permission, &before.permission);
        }
        let may_subscribe_again = profile.permission.can_subscribe && !before.permission.can_subscribe;
        self.commit(&Command::Update { person: person.clone(), profile }, None)?;
        if may_subscribe_again {
            self.subscribe_to_everything(&person);
        }
        self.person_answer(&person)
    }

    fn subscribe_to_everything(&mut self, person: &PersonId) {
        let client = self.clients.iter().find(|client| client.person == *person && client.auto_subscribe);
        let Some(id) = client.map(|client| client.id) else { return };
        for track in self.log.state.tracks.keys().cloned().collect::<Vec<_>>() {
            self.subscribe_by_itself(id, &track);
        }
    }

    /// Somebody else's microphone is never opened unless this server is told that it may be.
    fn mute_track(&mut self, mute: proto::MuteRoomTrackRequest) -> Result<Answer, Reject> {
        self.log_takes_more()?;
        let (track, muted) = (TrackId(mute.track_sid), mute.muted);
        let publication = self.log.state.tracks.get(&track).filter(|known| known.person.0 == mute.identity);
        let is_muted = publication.ok_or(NO_TRACK)?.muted;
        if !muted && is_muted && !self.config.remote_unmute {
            return Err(Reject::Forbidden(
                "only its publisher may unmute a track; `rooms.remote_unmute` of this server would allow it to others",
            ));
        }
        let known = self.tracks.get_mut(&track).ok_or(NO_TRACK)?;
        known.muted = muted;
        let (key, owner) = (known.key, known.owner);
        self.tell_media(sfu::Command::MuteTrack { track: key, muted });
        self.commit(&Command::SetMuted { track: track.clone(), muted }, None)?;
        let signal = Message::Mute(proto::MuteTrackRequest { sid: track.0.clone(), muted });
        self.tell_after(vec![owner], wire::signal(signal));
        let info = self.log.state.tracks.get(&track).map(|known| wire::track_info(known, self.tracks.get(&track)));
        info.map(|info| Answer::Track(Box::new(info))).ok_or(NO_TRACK)
    }

    fn subscribe_person(&mut self, wanted: &proto::UpdateSubscriptionsRequest) -> Result<Answer, Reject> {
        self.log_takes_more()?;
        let client = self.clients.iter().find(|client| client.person.0 == wanted.identity);
        let id = client.map(|client| client.id).ok_or(NOT_CONNECTED)?;
        let of_people = wanted.participant_tracks.iter().flat_map(|person| &person.track_sids);
        for sid in wanted.track_sids.iter().chain(of_people) {
            let track = TrackId(sid.clone());
            if !wanted.subscribe {
                self.unsubscribe(id, &track);
                continue;
            }
            self.subscribe(id, &track).map_err(|why| match why {
                NotReceived::NoSuchTrack => Reject::NotFound("there is no such track in the Space of this person"),
                NotReceived::NotPermitted { .. } => Reject::Forbidden("this person may not subscribe"),
                NotReceived::TooMany => Reject::Limit("this person receives as many tracks as one may"),
            })?;
        }
        Ok(Answer::Done(self.log.state.seq))
    }

    /// Data is for the whole class, whatever Space somebody is in, unless people are named.
    #[allow(deprecated)] // Older programs name people by sid.
    fn send_data(&mut self, request: proto::SendDataRequest) -> Result<Answer, Reject> {
        let limits = &self.config.limits;
        let topic = request.topic.as_deref().unwrap_or_default();
        if request.data.len() > limits.data_message_bytes || longer_than(topic, limits.name_chars) {
            return Err(Reject::Limit("the data or its topic is too long"));
        }
        let lane = match request.kind() {
            proto::data_packet::Kind::Reliable => sfu::Lane::Reliable,
            proto::data_packet::Kind::Lossy => sfu::Lane::Lossy,
        };
        let to = self.receivers(&request.destination_identities, &request.destination_sids, |_| true);
        let user = proto::UserPacket {
            payload: request.data,
            topic: request.topic,
            destination_identities: request.destination_identities.clone(),
            nonce: request.nonce,
            ..Default::default()
        };
        let packet = proto::DataPacket {
            kind: request.kind,
            destination_identities: request.destination_identities,
            value: Some(proto::data_packet::Value::User(user)),
            ..Default::default()
        };
        if !to.is_empty() {
            self.tell_media(sfu::Command::SendData { to, lane, bytes: Arc::from(packet.encode_to_vec()) });
        }
        Ok(Answer::Done(self.log.state.seq))
    }
}

impl Answer {
    /// Roughly what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Answer::Done(_) => 0,
            Answer::Room(room) => room.encoded_len(),
            Answer::Person(person) => person.encoded_len(),
            Answer::People(people) => people.iter().map(proto::ParticipantInfo::encoded_len).sum(),
            Answer::Track(track) => track.encoded_len(),
            Answer::Outcome(_) => 0,
            Answer::Class(text) => text.len(),
            Answer::Deck(deck) => deck.name.0.len() + deck.mime_type.len(),
        }
    }
}

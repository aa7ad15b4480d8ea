//! LiveKit's RoomService: what its calls mean for classes. A LiveKit room is a Lyceum room; it exists for these calls while a class
//! runs in it.

use super::wire::{Form, TwirpError};
use crate::api::{NewRoom, create_room};
use crate::app::App;
use crate::control::Refusal;
use crate::http::auth::{require, require_admin};
use crate::token::Verified;
use axum::response::Response;
use livekit_protocol as proto;
use lyceum_node::{Answer, Order};
use lyceum_session::{PersonId, Reject, RoomName, SpaceName};

/// One call.
pub async fn call(app: &App, who: &Verified, method: &str, form: Form, body: &[u8]) -> Result<Response, TwirpError> {
    let class = |room: &str| Class::administered(app, who, room);
    match method {
        "CreateRoom" => form.write(&create(app, who, form.read(body)?).await?),
        "ListRooms" => form.write(&list(app, who, form.read(body)?).await?),
        "DeleteRoom" => {
            let request: proto::DeleteRoomRequest = form.read(body)?;
            require(who, "roomCreate", |video| video.room_create)?;
            Class::new(app, who, &request.room).done(Order::End).await?;
            form.write(&proto::DeleteRoomResponse {})
        }
        "ListParticipants" => {
            let request: proto::ListParticipantsRequest = form.read(body)?;
            let participants = class(&request.room)?.people().await?;
            form.write(&proto::ListParticipantsResponse { participants })
        }
        "GetParticipant" => {
            let request: proto::RoomParticipantIdentity = form.read(body)?;
            let person = PersonId(request.identity);
            form.write(&class(&request.room)?.person(Order::LookAtPerson(person)).await?)
        }
        "RemoveParticipant" => {
            let request: proto::RoomParticipantIdentity = form.read(body)?;
            class(&request.room)?.done(Order::Remove(PersonId(request.identity))).await?;
            form.write(&proto::RemoveParticipantResponse {})
        }
        "MutePublishedTrack" => {
            let request: proto::MuteRoomTrackRequest = form.read(body)?;
            let track = Some(class(&request.room)?.track(Order::Mute(request)).await?);
            form.write(&proto::MuteRoomTrackResponse { track })
        }
        "UpdateParticipant" => {
            let request: proto::UpdateParticipantRequest = form.read(body)?;
            form.write(&class(&request.room)?.person(Order::Update(Box::new(request))).await?)
        }
        "UpdateSubscriptions" => {
            let request: proto::UpdateSubscriptionsRequest = form.read(body)?;
            class(&request.room)?.done(Order::Subscribe(request)).await?;
            form.write(&proto::UpdateSubscriptionsResponse {})
        }
        "SendData" => {
            let request: proto::SendDataRequest = form.read(body)?;
            class(&request.room)?.done(Order::SendData(request)).await?;
            form.write(&proto::SendDataResponse {})
        }
        "UpdateRoomMetadata" => {
            let request: proto::UpdateRoomMetadataRequest = form.read(body)?;
            form.write(&class(&request.room)?.room(Order::DescribeRoom { metadata: request.metadata }).await?)
        }
        "MoveParticipant" => {
            move_participant(app, who, form.read(body)?).await?;
            form.write(&proto::MoveParticipantResponse {})
        }
        "ForwardParticipant" => Err(TwirpError::unimplemented(
            "a participant is in one Space at a time; MoveParticipant takes somebody to another",
        )),
        "PerformRpc" => Err(TwirpError::unimplemented(
            "this server makes no RPCs of its own; participants call one another, and SendData reaches them from outside",
        )),
        _ => Err(TwirpError::bad_route(format!("livekit.RoomService has no method {method}"))),
    }
}

/// Services of LiveKit that are not here are told from those that do not exist.
pub fn unknown_service(service: &str) -> TwirpError {
    match service {
        "livekit.Egress" | "livekit.Ingress" | "livekit.SIP" | "livekit.AgentDispatchService" | "livekit.Connector" => {
            TwirpError::unimplemented(format!("this server has no {service}"))
        }
        _ => TwirpError::bad_route(format!("there is no service {service}")),
    }
}

/// The room is made or changed, and its class begins, as LiveKit's rooms do, though nobody is in it yet.
async fn create(app: &App, who: &Verified, request: proto::CreateRoomRequest) -> Result<proto::Room, TwirpError> {
    require(who, "roomCreate", |video| video.room_create)?;
    let room = RoomName(request.name.clone());
    let known = app.store.room(who.tenant.clone(), room.clone()).await;
    let known = known.map_err(|error| {
        tracing::error!(%error, "the store cannot be read");
        Refusal::Unreachable
    })?;
    let policy = known.as_ref().map(|known| known.policy.clone()).unwrap_or_default();
    let before = known.map(|known| known.metadata).unwrap_or_default();
    let seconds = |wanted: u32, known_ms: Option<u64>| match wanted {
        0 => known_ms.map(|ms| ms / 1_000),
        wanted => Some(u64::from(wanted)),
    };
    let wanted = NewRoom {
        name: request.name,
        max_participants: Some(request.max_participants).filter(|people| *people > 0).or(policy.max_participants),
        empty_timeout_s: seconds(request.empty_timeout, policy.empty_timeout_ms),
        departure_timeout_s: seconds(request.departure_timeout, policy.departure_timeout_ms),
        metadata: if request.metadata.is_empty() { before } else { request.metadata },
    };
    create_room(app, &who.tenant, &who.key, wanted).await?;
    app.control.open(&who.tenant, &room).await?;
    Class::new(app, who, &room.0).room(Order::LookAtRoom).await
}

async fn list(
    app: &App,
    who: &Verified,
    request: proto::ListRoomsRequest,
) -> Result<proto::ListRoomsResponse, TwirpError> {
    require(who, "roomList", |video| video.room_list)?;
    let wanted = |room: &RoomName| request.names.is_empty() || request.names.contains(&room.0);
    let mut rooms = Vec::new();
    for room in app.control.rooms(&who.tenant).iter().filter(|room| wanted(room)) {
        match app.control.order(&who.tenant, room, Order::LookAtRoom).await {
            Ok(Answer::Room(room)) => rooms.push(*room),
            // It has ended while the list was made.
            Err(Refusal::NoClass | Refusal::Unreachable | Refusal::Rejected(Reject::SessionEnded)) => {}
            Err(refusal) => return Err(refusal.into()),
            Ok(_) => return Err(bug()),
        }
    }
    Ok(proto::ListRoomsResponse { rooms })
}

/// The room is where the person is, or was: a class has one name for all of its Spaces.
async fn move_participant(app: &App, who: &Verified, request: proto::MoveParticipantRequest) -> Result<(), TwirpError> {
    let space = space_of(&request.room, &request.destination_room);
    let video = who.claims.video.clone().unwrap_or_default();
    if video.destination_room.is_empty() {
        require_admin(who, &request.room)?;
    } else if video.room != request.room || space_of(&request.room, &video.destination_room) != space {
        return Err(TwirpError::denied("the token's `video.room` or `video.destinationRoom` names another room"));
    }
    let persons = vec![PersonId(request.identity)];
    Class::new(app, who, &request.room).done(Order::Move { persons, space }).await
}

/// A Space as a LiveKit room: its class's name is the main room, anything else a group, with or without the class's name before it.
fn space_of(room: &str, destination: &str) -> SpaceName {
    let inside = destination.strip_prefix(room).and_then(|rest| rest.strip_prefix('/')).unwrap_or(destination);
    if inside == room { SpaceName::default() } else { SpaceName(inside.to_owned()) }
}

/// A class that is asked to do something.
struct Class<'a> {
    app: &'a App,
    who: &'a Verified,
    room: RoomName,
}

impl<'a> Class<'a> {
    fn new(app: &'a App, who: &'a Verified, room: &str) -> Self {
        Self { app, who, room: RoomName(room.to_owned()) }
    }

    fn administered(app: &'a App, who: &'a Verified, room: &str) -> Result<Self, TwirpError> {
        require_admin(who, room)?;
        Ok(Self::new(app, who, room))
    }

    async fn order(self, order: Order) -> Result<Answer, TwirpError> {
        Ok(self.app.control.order(&self.who.tenant, &self.room, order).await?)
    }

    async fn done(self, order: Order) -> Result<(), TwirpError> {
        match self.order(order).await? {
            Answer::Done(_) => Ok(()),
            _ => Err(bug()),
        }
    }

    async fn room(self, order: Order) -> Result<proto::Room, TwirpError> {
        match self.order(order).await? {
            Answer::Room(room) => Ok(*room),
            _ => Err(bug()),
        }
    }

    async fn person(self, order: Order) -> Result<proto::ParticipantInfo, TwirpError> {
        match self.order(order).await? {
            Answer::Person(person) => Ok(*person),
            _ => Err(bug()),
        }
    }

    async fn people(self) -> Result<Vec<proto::ParticipantInfo>, TwirpError> {
        match self.order(Order::LookAtPeople).await? {
            Answer::People(people) => Ok(people),
            _ => Err(bug()),
        }
    }

    async fn track(self, order: Order) -> Result<proto::TrackInfo, TwirpError> {
        match self.order(order).await? {
            Answer::Track(track) => Ok(*track),
            _ => Err(bug()),
        }
    }
}

fn bug() -> TwirpError {
    tracing::error!("bug: a class answered an order with something else");
    TwirpError::internal("the class gave another answer than was asked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_the_main_room_or_a_group() {
        for (destination, space) in [
            ("math", "main"),
            ("main", "main"),
            ("math/main", "main"),
            ("group 1", "group 1"),
            ("math/group 1", "group 1"),
            ("mathematics", "mathematics"),
            ("other/group", "other/group"),
            ("", ""),
        ] {
            assert_eq!(space_of("math", destination).0, space, "{destination}");
        }
    }
}

"""Groups within a class, and the class run from outside: LiveKit's server API and LiveKit's Python SDK, both unchanged."""

import asyncio

import pytest
import pytest_asyncio
from livekit import api, rtc

import server as lyceum
from person import eventually, until_tone

AUDIO = rtc.TrackKind.KIND_AUDIO


@pytest_asyncio.fixture
async def rooms(server):
    """LiveKit's client of the server API."""
    async with api.LiveKitAPI(server.http_url, lyceum.API_KEY, lyceum.API_SECRET) as client:
        yield client.room


def reads_chat(person) -> list[tuple[str, str]]:
    """What is said in the chat from here on, and by whom."""
    said = []

    def open_stream(reader: rtc.TextStreamReader, identity: str) -> None:
        async def read() -> None:
            said.append((identity, await reader.read_all()))

        person.reading = getattr(person, "reading", [])
        person.reading.append(asyncio.create_task(read()))

    person.room.register_text_stream_handler("lk.chat", open_stream)
    return said


async def hears(listener, other: str, hz: float) -> None:
    await until_tone(await eventually(lambda: listener.track_of(other, AUDIO), f"the voice of {other}"), hz)


async def test_a_group_is_by_itself_and_comes_back(joins, rooms, room_name):
    teacher, amina, bo = await joins("teacher"), await joins("amina"), await joins("bo")
    chats = {person.me.identity: reads_chat(person) for person in (teacher, amina, bo)}
    moved = []
    amina.room.on("moved", lambda: moved.append(amina.room.name))
    for person, hz in ((teacher, 440), (amina, 1000), (bo, 1500)):
        await person.plays_tone(hz)
    await hears(amina, "teacher", 440)
    await hears(bo, "amina", 1000)
    await hears(teacher, "bo", 1500)

    for person in (amina, bo):
        await rooms.move_participant(
            api.MoveParticipantRequest(
                room=room_name, identity=person.me.identity, destination_room=f"{room_name}/group 1"
            )
        )
    await eventually(lambda: moved, "Amina is told that she is elsewhere")
    for learner, other, hz in ((amina, "bo", 1500), (bo, "amina", 1000)):
        await eventually(lambda: list(learner.room.remote_participants) == [other], "the group sees itself only")
        await hears(learner, other, hz)
        assert learner.sees(other).attributes["lyceum.space"] == "group 1"
    await eventually(lambda: not teacher.room.remote_participants, "the teacher sees nobody")
    await teacher.receives_no_more()

    await amina.me.publish_data("for the group")
    await amina.me.publish_data("not for another room", destination_identities=["teacher"])
    await amina.me.send_text("hello, group", topic="lk.chat")
    await teacher.me.publish_data("anybody here?")
    await teacher.me.send_text("hello, empty room", topic="lk.chat")
    await eventually(lambda: chats["bo"] == [("amina", "hello, group")], "the group's chat")

    for person in (amina, bo):
        await rooms.move_participant(
            api.MoveParticipantRequest(room=room_name, identity=person.me.identity, destination_room=room_name)
        )
    await eventually(lambda: set(teacher.room.remote_participants) == {"amina", "bo"}, "all are back")
    for person in (amina, bo):
        await eventually(lambda: len(person.room.remote_participants) == 2, "all are back")
    await hears(teacher, "amina", 1000)
    await hears(amina, "teacher", 440)
    await hears(bo, "amina", 1000)

    # What had been said meanwhile would have come before this: both lanes are in order.
    await teacher.me.send_text("welcome back", topic="lk.chat")
    await teacher.me.publish_data("welcome back")
    for person in (amina, bo):
        await eventually(lambda: person.received and person.received[-1].data == b"welcome back", "data to all")
        await eventually(lambda: ("teacher", "welcome back") in chats[person.me.identity], "chat to all")
    assert [p.data for p in teacher.received] == []
    assert [p.data for p in bo.received] == [b"for the group", b"welcome back"]
    assert [p.data for p in amina.received] == [b"welcome back"]
    assert chats["teacher"] == []
    assert chats["bo"] == [("amina", "hello, group"), ("teacher", "welcome back")]
    for person in (teacher, amina, bo):
        assert not [what for what, _ in person.heard_of if what in ("disconnected", "reconnected")]


async def test_people_are_looked_at_muted_changed_and_removed(joins, rooms, room_name):
    amina, bo = await joins("amina"), await joins("bo", can_update_own_metadata=True)
    _, publication = await bo.plays_tone(440)
    await hears(amina, "bo", 440)
    in_room = {"room": room_name, "identity": "bo"}

    people = (await rooms.list_participants(api.ListParticipantsRequest(room=room_name))).participants
    assert {person.identity for person in people} == {"amina", "bo"}
    found = await rooms.get_participant(api.RoomParticipantIdentity(**in_room))
    assert [track.sid for track in found.tracks] == [publication.sid]

    await rooms.mute_published_track(api.MuteRoomTrackRequest(**in_room, track_sid=publication.sid, muted=True))
    await eventually(lambda: ("muted", "bo") in amina.heard_of, "Amina sees that Bo is muted")
    await amina.receives_no_more()
    with pytest.raises(api.TwirpError) as refused:
        await rooms.mute_published_track(api.MuteRoomTrackRequest(**in_room, track_sid=publication.sid, muted=False))
    assert (refused.value.code, refused.value.status) == ("permission_denied", 403)

    update = api.UpdateParticipantRequest(
        **in_room,
        name="Bo B.",
        metadata="reads",
        attributes={"seat": "7"},
        permission=api.ParticipantPermission(can_subscribe=True, can_publish=False, can_publish_data=True),
    )
    changed = await rooms.update_participant(update)
    assert (changed.name, changed.metadata, changed.attributes["seat"], len(changed.tracks)) == ("Bo B.", "reads", "7", 0)
    seen = amina.sees("bo")
    await eventually(lambda: seen.name == "Bo B." and seen.attributes.get("seat") == "7", "Amina sees the change")
    await eventually(lambda: not amina.publication_of("bo", AUDIO), "and that the voice is gone")

    await rooms.send_data(api.SendDataRequest(room=room_name, data=b"bell", kind=0, topic="school"))
    await rooms.send_data(
        api.SendDataRequest(room=room_name, data=b"for Bo", kind=0, destination_identities=["bo"])
    )
    await eventually(lambda: [p.data for p in bo.received] == [b"bell", b"for Bo"], "data from outside")
    await eventually(lambda: [p.data for p in amina.received] == [b"bell"], "and not what is for Bo")

    await rooms.update_room_metadata(api.UpdateRoomMetadataRequest(room=room_name, metadata="algebra"))
    await eventually(lambda: amina.room.metadata == "algebra", "the room is described")

    await rooms.remove_participant(api.RoomParticipantIdentity(**in_room))
    await eventually(lambda: ("disconnected", None) in bo.heard_of, "Bo is told")
    await eventually(lambda: ("left", "bo") in amina.heard_of, "Amina sees it")


async def test_subscriptions_can_be_chosen_from_outside(joins, rooms, room_name):
    amina, bo = await joins("amina"), await joins("bo")
    _, publication = await amina.plays_tone(440)
    await hears(bo, "amina", 440)
    change = {"room": room_name, "identity": "bo", "track_sids": [publication.sid]}
    # The SDK keeps the track whose sound has ended until it comes again.
    ended = bo.track_of("amina", AUDIO)
    await rooms.update_subscriptions(api.UpdateSubscriptionsRequest(**change, subscribe=False))
    await bo.receives_no_more()
    await rooms.update_subscriptions(api.UpdateSubscriptionsRequest(**change, subscribe=True))
    await eventually(lambda: bo.track_of("amina", AUDIO) is not ended, "the voice comes again")
    await hears(bo, "amina", 440)


async def test_rooms_are_made_listed_and_ended(joins, rooms, room_name):
    made = await rooms.create_room(api.CreateRoomRequest(name=room_name, metadata="sets", max_participants=5))
    assert (made.name, made.metadata, made.max_participants) == (room_name, "sets", 5)
    amina = await joins("amina")
    assert amina.room.metadata == "sets"
    listed = (await rooms.list_rooms(api.ListRoomsRequest(names=[room_name]))).rooms
    assert [(room.sid, room.num_participants) for room in listed] == [(made.sid, 1)]
    await rooms.delete_room(api.DeleteRoomRequest(room=room_name))
    await eventually(lambda: ("disconnected", None) in amina.heard_of, "the class is over")
    assert not (await rooms.list_rooms(api.ListRoomsRequest(names=[room_name]))).rooms

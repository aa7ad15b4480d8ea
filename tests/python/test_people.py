"""Who comes, who goes and who they are, with LiveKit's Python SDK."""

import pytest
from livekit import rtc

import server as lyceum
from person import Person, eventually, until_tone

AUDIO = rtc.TrackKind.KIND_AUDIO


async def test_a_hidden_person_sees_and_is_not_seen(joins):
    amina = await joins("amina")
    ghost = await joins("ghost", hidden=True, can_publish=False)
    await eventually(lambda: ghost.sees("amina"), "the ghost sees Amina")
    bo = await joins("bo")
    await eventually(lambda: ghost.sees("bo") and amina.sees("bo") and bo.sees("amina"), "the others see each other")
    assert not amina.sees("ghost")
    assert not bo.sees("ghost")


async def test_the_same_identity_again_takes_the_place_of_the_first(joins):
    first, bo = await joins("amina"), await joins("bo")
    ended: list[int] = []
    first.room.on("disconnected", ended.append)
    again = await joins("amina")
    await eventually(lambda: ended == [rtc.DisconnectReason.DUPLICATE_IDENTITY], "the first is told")
    await again.plays_tone(440)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "the second's voice"), 440)
    assert list(bo.room.remote_participants) == ["amina"]


async def test_ones_own_goodbye_is_told_as_such(joins):
    amina = await joins("amina")
    ended: list[int] = []
    amina.room.on("disconnected", ended.append)
    await amina.room.disconnect()
    await eventually(lambda: ended == [rtc.DisconnectReason.CLIENT_INITIATED], "the goodbye")


async def test_an_agent_is_shown_as_one(joins):
    await joins("helper", kind="agent")
    bo = await joins("bo")
    seen = await eventually(lambda: bo.sees("helper"), "Bo sees the helper")
    assert seen.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


async def test_without_the_right_to_it_ones_profile_stays_as_it_was(joins):
    amina, bo = await joins("amina", name="Amina"), await joins("bo")
    seen = await eventually(lambda: bo.sees("amina"), "Bo sees Amina")
    await amina.me.set_name("The teacher")
    # The SDK does not tell of the refusal; what Amina asks for after it is done after it.
    await amina.plays_tone(440)
    await eventually(lambda: bo.publication_of("amina", AUDIO), "what she did after it")
    assert seen.name == "Amina"


async def test_a_token_is_refreshed(server, room_name):
    amina = Person(rtc.Room())
    refreshed: list[bool] = []
    amina.room.on("token_refreshed", lambda: refreshed.append(True))
    await amina.room.connect(server.ws_url, lyceum.token("amina", room_join=True, room=room_name))
    await eventually(lambda: refreshed, "being told of a fresh token")
    await amina.leaves()


async def test_the_room_says_what_its_first_token_said(server, room_name):
    from livekit import api

    token = (
        api.AccessToken(lyceum.API_KEY, lyceum.API_SECRET)
        .with_identity("amina")
        .with_grants(api.VideoGrants(room_join=True, room=room_name))
        .with_room_config(api.RoomConfiguration(metadata="of algebra"))
    )
    amina = Person(rtc.Room())
    await amina.room.connect(server.ws_url, token.to_jwt())
    assert amina.room.metadata == "of algebra"
    assert amina.room.name == room_name
    assert (await amina.room.sid).startswith("RM_")
    await amina.leaves()


@pytest.mark.parametrize("single", [True, False], ids=["version 1 first", "version 0"])
async def test_both_ways_to_connect_end_in_the_same_class(server, room_name, single):
    people = []
    for identity in ("amina", "bo"):
        person = Person(rtc.Room())
        token = lyceum.token(identity, room_join=True, room=room_name)
        await person.room.connect(server.ws_url, token, rtc.RoomOptions(single_peer_connection=single))
        people.append(person)
    amina, bo = people
    await amina.plays_tone(440)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)
    for person in people:
        await person.leaves()

"""What LiveKit's Python SDK goes through when the server goes away and comes back."""

import pytest
from livekit import rtc

import server as lyceum
from person import Person, eventually, until_tone

AUDIO = rtc.TrackKind.KIND_AUDIO
ROOM = "restart"


@pytest.fixture
def own_server(tmp_path):
    running = lyceum.Server(tmp_path)
    running.start()
    yield running
    running.stop()


async def joins(server, identity: str) -> Person:
    person = Person(rtc.Room())
    await person.room.connect(server.ws_url, lyceum.token(identity, room_join=True, room=ROOM))
    return person


async def back(server, person: Person) -> Person:
    """Waits until somebody is back by themselves. The SDK gives up after ten tries, which can be over before a busy machine has
    the server up again; then they join anew, as an application would have them do."""
    identity = person.me.identity
    news = await eventually(
        lambda: {("reconnected", None), ("disconnected", None)} & set(person.heard_of), f"{identity} is back or gave up"
    )
    if ("reconnected", None) in news:
        return person
    again = await joins(server, identity)
    if person.me.track_publications:
        await again.plays_tone(440)
    return again


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_the_class_goes_on_when_the_server_is_back(own_server, how):
    amina, bo = await joins(own_server, "amina"), await joins(own_server, "bo")
    await amina.plays_tone(440)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)
    session = await bo.room.sid

    if how == "killed":
        own_server.kill()
    else:
        assert own_server.stop() == 0, own_server.log()
    own_server.start()

    amina, bo = await back(own_server, amina), await back(own_server, bo)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice again"), 440)
    assert await bo.room.sid == session, "the same class goes on"
    for person in (amina, bo):
        await person.leaves()


async def test_no_secret_and_no_query_string_is_logged(own_server):
    token = lyceum.token("amina", name="Amina Kaya", room_join=True, room=ROOM)
    person = Person(rtc.Room())
    await person.room.connect(own_server.ws_url, token)
    await person.leaves()
    expired = lyceum.token("amina", ttl_s=-3600, room_join=True, room=ROOM)
    with pytest.raises(rtc.ConnectError):
        await person.room.connect(own_server.ws_url, expired)
    log = own_server.log()
    for signed in (token, expired):
        assert signed.split(".")[2] not in log
    assert "access_token=" not in log
    assert "Amina Kaya" not in log

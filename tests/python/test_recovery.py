"""What LiveKit's Python SDK goes through when its connections break."""

from livekit import rtc

from person import eventually, until_tone

AUDIO = rtc.TrackKind.KIND_AUDIO


async def both_with_voices(joins):
    amina, bo = await joins("amina"), await joins("bo")
    await amina.plays_tone(440)
    await bo.plays_tone(1000)
    await hear_each_other(amina, bo)
    return amina, bo


async def hear_each_other(amina, bo) -> None:
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)
    await until_tone(await eventually(lambda: amina.track_of("bo", AUDIO), "Bo's voice"), 1000)


async def test_a_client_whose_socket_breaks_resumes_and_nobody_sees_it_go(joins):
    amina, bo = await both_with_voices(joins)
    sid = amina.me.sid
    await amina.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
    await eventually(lambda: ("reconnected", None) in amina.heard_of, "Amina is back")
    await hear_each_other(amina, bo)
    assert amina.me.sid == sid
    assert ("left", "amina") not in bo.heard_of
    await amina.me.publish_data("still here")
    await eventually(lambda: [packet.data for packet in bo.received] == [b"still here"], "what she says after it")


async def test_a_client_that_joins_afresh_is_back_as_the_same_person(joins):
    amina, bo = await both_with_voices(joins)
    await amina.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
    await eventually(lambda: ("reconnected", None) in amina.heard_of, "Amina is back")
    await hear_each_other(amina, bo)
    assert list(bo.room.remote_participants) == ["amina"]


async def test_a_client_that_the_server_sends_away_is_told_so(joins):
    amina = await joins("amina")
    ended: list[int] = []
    amina.room.on("disconnected", ended.append)
    await amina.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SERVER_LEAVE)
    await eventually(lambda: ended == [rtc.DisconnectReason.SERVER_SHUTDOWN], "Amina is told that she has to go")

"""A class held by LiveKit's Python SDK, which shares no code with the browser's."""

import asyncio

import pytest
from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from person import eventually, has_halves, until_frame, until_tone

AUDIO, VIDEO = rtc.TrackKind.KIND_AUDIO, rtc.TrackKind.KIND_VIDEO


async def test_two_people_see_and_hear_each_other(joins):
    amina = await joins("amina", name="Amina")
    await amina.plays_tone(440)
    await amina.shows_halves(640, 360)
    # Bo comes when the tracks are there already; Amina is told of Bo's later.
    bo = await joins("bo", name="Bo")
    await bo.plays_tone(1000)
    await bo.shows_halves(640, 360)

    assert (await eventually(lambda: bo.sees("amina"), "Bo sees Amina")).name == "Amina"
    assert (await eventually(lambda: amina.sees("bo"), "Amina sees Bo")).name == "Bo"
    for watcher, other, hz in ((bo, "amina", 440), (amina, "bo", 1000)):
        await until_tone(await eventually(lambda: watcher.track_of(other, AUDIO), f"the voice of {other}"), hz)
        camera = await eventually(lambda: watcher.track_of(other, VIDEO), f"the camera of {other}")
        frame = await until_frame(camera, has_halves, f"the picture of {other}")
        assert frame.width * 9 == frame.height * 16
    await eventually(lambda: "amina" in bo.speakers, "Amina is shown as speaking to Bo")


async def test_the_layer_follows_the_wish(joins):
    teacher = await joins("teacher")
    await teacher.shows_halves(1280, 720)
    learner = await joins("learner")
    camera = await eventually(lambda: learner.track_of("teacher", VIDEO), "the teacher's camera")
    publication = learner.publication_of("teacher", VIDEO)
    assert publication.simulcasted

    publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
    low = await until_frame(camera, lambda frame: frame.width <= 320, "the low layer")
    assert has_halves(low)
    publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_HIGH)
    high = await until_frame(camera, lambda frame: frame.width > 320, "a higher layer again")
    assert has_halves(high)


async def test_h264_is_carried_too(joins):
    teacher = await joins("teacher")
    await teacher.shows_halves(320, 180, codec=rtc.VideoCodec.H264, simulcast=False)
    learner = await joins("learner")
    camera = await eventually(lambda: learner.track_of("teacher", VIDEO), "the teacher's camera")
    assert learner.publication_of("teacher", VIDEO).mime_type.lower() == "video/h264"
    await until_frame(camera, has_halves, "the teacher's picture")


async def test_a_mute_and_an_unmute_are_seen_and_heard(joins):
    amina = await joins("amina")
    voice, _ = await amina.plays_tone(440)
    bo = await joins("bo")
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)

    voice.mute()
    await eventually(lambda: ("muted", "amina") in bo.heard_of, "Bo sees the mute")
    assert bo.publication_of("amina", AUDIO).muted
    voice.unmute()
    await eventually(lambda: ("unmuted", "amina") in bo.heard_of, "Bo sees the unmute")
    await until_tone(bo.track_of("amina", AUDIO), 440)


async def test_a_track_is_unsubscribed_subscribed_again_and_unpublished(joins):
    amina = await joins("amina")
    _, publication = await amina.plays_tone(440)
    bo = await joins("bo")
    voice = await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice")
    await until_tone(voice, 440)

    bo.publication_of("amina", AUDIO).set_subscribed(False)
    await eventually(lambda: not bo.track_of("amina", AUDIO), "the subscription ends")
    await bo.receives_no_more()
    bo.publication_of("amina", AUDIO).set_subscribed(True)
    voice = await eventually(lambda: bo.track_of("amina", AUDIO), "it is announced again")
    await until_tone(voice, 440)

    await amina.me.unpublish_track(publication.sid)
    await eventually(lambda: not bo.publication_of("amina", AUDIO), "Bo is told that it is gone")


async def test_nothing_is_subscribed_by_itself_if_not_wished(joins):
    amina = await joins("amina")
    await amina.plays_tone(440)
    bo = await joins("bo", auto_subscribe=False)
    publication = await eventually(lambda: bo.publication_of("amina", AUDIO), "Bo knows of the track")
    assert not bo.track_of("amina", AUDIO)
    publication.set_subscribed(True)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "the voice, once wished"), 440)


async def test_reliable_data_arrives_once_and_in_order(joins):
    amina, bo, chen = await joins("amina"), await joins("bo"), await joins("chen")
    await eventually(lambda: len(amina.room.remote_participants) == 2, "all are there")
    for number in range(100):
        await amina.me.publish_data(f"{number}", reliable=True, topic="count")
    for person in (bo, chen):
        await eventually(lambda: len(person.received) >= 100, "100 messages")
        assert [packet.data for packet in person.received] == [f"{number}".encode() for number in range(100)]
        assert {packet.participant.identity for packet in person.received} == {"amina"}
        assert {packet.topic for packet in person.received} == {"count"}
    assert amina.received == []


async def test_data_for_one_person_reaches_nobody_else(joins):
    amina, bo, chen = await joins("amina"), await joins("bo"), await joins("chen")
    await eventually(lambda: len(amina.room.remote_participants) == 2, "all are there")
    await amina.me.publish_data("only for Bo", destination_identities=["bo"])
    await amina.me.publish_data("for all")
    await eventually(lambda: [p.data for p in bo.received] == [b"only for Bo", b"for all"], "both reach Bo")
    # The lane is ordered: had Chen been sent the first, it would have come before the second.
    await eventually(lambda: [p.data for p in chen.received] == [b"for all"], "one reaches Chen")


async def test_lossy_data_arrives(joins):
    amina, bo = await joins("amina"), await joins("bo")
    await eventually(lambda: amina.sees("bo"), "both are there")

    async def keep_sending():
        while True:
            await amina.me.publish_data("cursor", reliable=False)
            await asyncio.sleep(0.1)

    sending = asyncio.create_task(keep_sending())
    try:
        await eventually(lambda: bo.received, "one of them")
    finally:
        sending.cancel()
    assert bo.received[0].data == b"cursor"
    assert bo.received[0].kind == rtc.DataPacketKind.KIND_LOSSY


async def test_name_metadata_and_attributes_reach_the_others(joins):
    amina = await joins("amina", name="Amina", attributes={"seat": "1"}, can_update_own_metadata=True)
    bo = await joins("bo")
    seen = await eventually(lambda: bo.sees("amina"), "Bo sees Amina")
    assert seen.attributes["seat"] == "1"

    # The SDK sends its own copy of what a call does not change, so each change waits for the one before to come back.
    await amina.me.set_name("Amina K.")
    await eventually(lambda: seen.name == amina.me.name == "Amina K.", "the new name")
    await amina.me.set_metadata("likes chess")
    await eventually(lambda: seen.metadata == amina.me.metadata == "likes chess", "the metadata")
    await amina.me.set_attributes({"hand": "up", "seat": "2"})
    await eventually(lambda: seen.attributes.get("hand") == "up" and seen.attributes["seat"] == "2", "the attributes")


async def test_who_may_not_publish_is_refused_and_stays(joins):
    observer = await joins("observer", can_publish=False)
    amina = await joins("amina")
    with pytest.raises(PublishTrackError):
        await observer.plays_tone(440)
    await amina.plays_tone(440)
    await until_tone(await eventually(lambda: observer.track_of("amina", AUDIO), "Amina's voice"), 440)


async def test_a_client_that_lost_its_socket_comes_back_by_itself(joins):
    amina = await joins("amina")
    await amina.plays_tone(440)
    bo = await joins("bo")
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)

    await amina.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
    await eventually(lambda: ("reconnected", None) in amina.heard_of, "Amina is back")
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice again"), 440)
    assert list(bo.room.remote_participants) == ["amina"]


async def test_leaving_is_seen(joins):
    amina, bo = await joins("amina"), await joins("bo")
    await eventually(lambda: bo.sees("amina"), "Bo sees Amina")
    await amina.leaves()
    await eventually(lambda: ("left", "amina") in bo.heard_of, "Bo sees that Amina left")
    assert not bo.sees("amina")

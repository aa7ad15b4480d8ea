"""How tracks of LiveKit's Python SDK are published and received, in the forms that it knows."""

import asyncio

import pytest
from livekit import rtc
from livekit.rtc._proto.track_pb2 import AudioTrackFeature
from livekit.rtc.participant import PublishTrackError

from person import eventually, has_halves, until_frame, until_tone

AUDIO, VIDEO = rtc.TrackKind.KIND_AUDIO, rtc.TrackKind.KIND_VIDEO


@pytest.mark.parametrize("how", [{"red": True}, {"red": False}, {"dtx": False}, {"channels": 2}], ids=str)
async def test_a_microphone_is_heard_in_every_form(joins, how):
    amina, bo = await joins("amina"), await joins("bo")
    await amina.plays_tone(440, **how)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)
    features = bo.publication_of("amina", AUDIO).audio_features
    assert (AudioTrackFeature.TF_NO_DTX in features) == (how.get("dtx") is False)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize("simulcast", [True, False], ids=["layers", "one layer"])
async def test_a_camera_is_seen_in_every_form(joins, codec, simulcast):
    amina, bo = await joins("amina"), await joins("bo")
    await amina.shows_halves(640, 360, codec=getattr(rtc.VideoCodec, codec), simulcast=simulcast)
    camera = await eventually(lambda: bo.track_of("amina", VIDEO), "Amina's camera")
    await until_frame(camera, has_halves, "her picture")
    publication = bo.publication_of("amina", VIDEO)
    assert publication.mime_type.lower() == f"video/{codec.lower()}"
    assert publication.simulcasted == simulcast
    assert (publication.width, publication.height) == (640, 360)


async def test_a_screen_is_seen_beside_the_camera(joins):
    amina, bo = await joins("amina"), await joins("bo")
    await amina.shows_halves(320, 180)
    await amina.shows_halves(1280, 720, source=rtc.TrackSource.SOURCE_SCREENSHARE)

    def shown() -> dict[int, rtc.RemoteTrack]:
        seen = bo.sees("amina")
        publications = seen.track_publications.values() if seen else ()
        return {publication.source: publication.track for publication in publications if publication.track}

    await eventually(lambda: len(shown()) == 2, "both are there")
    screen = shown()[rtc.TrackSource.SOURCE_SCREENSHARE]
    await until_frame(screen, lambda frame: frame.width > 320 and has_halves(frame), "the screen")
    await until_frame(shown()[rtc.TrackSource.SOURCE_CAMERA], has_halves, "the camera")


async def test_a_track_is_published_and_unpublished_many_times(joins):
    amina, bo = await joins("amina"), await joins("bo")
    for time in range(6):
        hz = 440 + 110 * time
        _, publication = await amina.plays_tone(hz)
        await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), hz)
        await amina.me.unpublish_track(publication.sid)
        await eventually(lambda: not bo.publication_of("amina", AUDIO), "its end")


async def test_many_tracks_of_one_person_are_all_heard(joins):
    amina, bo = await joins("amina"), await joins("bo")
    sids = {}
    for number in range(8):
        hz = 440 + 110 * number
        _, publication = await amina.plays_tone(hz)
        sids[publication.sid] = hz

    def arrived() -> dict[str, rtc.RemoteTrack]:
        seen = bo.sees("amina")
        publications = seen.track_publications.values() if seen else ()
        return {publication.sid: publication.track for publication in publications if publication.track}

    await eventually(lambda: arrived().keys() == sids.keys(), "all of them")
    await asyncio.gather(*(until_tone(track, sids[sid]) for sid, track in arrived().items()))


async def test_a_publisher_is_told_when_somebody_receives(joins):
    amina = await joins("amina")
    _, publication = await amina.plays_tone(440)
    bo = await joins("bo")
    await asyncio.wait_for(publication.wait_for_subscription(), 60)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)


async def test_only_the_sources_that_a_token_names_are_published(joins):
    amina = await joins("amina", can_publish_sources=["microphone"])
    bo = await joins("bo")
    with pytest.raises(PublishTrackError):
        await amina.shows_halves(320, 180)
    await amina.plays_tone(440)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)


async def test_who_may_not_subscribe_hears_nobody_and_is_heard(joins):
    amina, bo = await joins("amina"), await joins("bo", can_subscribe=False)
    await amina.plays_tone(440)
    await bo.plays_tone(1000)
    await until_tone(await eventually(lambda: amina.track_of("bo", AUDIO), "Bo's voice"), 1000)
    await eventually(lambda: bo.publication_of("amina", AUDIO), "Bo knows of Amina's voice")
    assert not bo.track_of("amina", AUDIO)


async def test_the_quality_of_connections_is_told(joins):
    amina = await joins("amina")
    bo = await joins("bo")
    await bo.plays_tone(440)
    await amina.plays_tone(1000)
    await until_tone(await eventually(lambda: amina.track_of("bo", AUDIO), "Bo's voice"), 440)

    def told() -> set[int]:
        return {person.connection_quality for person in (amina.me, amina.sees("bo"))}

    good = {rtc.ConnectionQuality.QUALITY_GOOD, rtc.ConnectionQuality.QUALITY_EXCELLENT}
    await eventually(lambda: told() <= good and ("quality", "bo") in amina.heard_of, "the quality of both")


async def test_a_publisher_chooses_who_receives(joins):
    amina, bo, chen = await joins("amina"), await joins("bo"), await joins("chen")
    only_bo = rtc.ParticipantTrackPermission(participant_identity="bo", allow_all=True)
    amina.me.set_track_subscription_permissions(allow_all_participants=False, participant_permissions=[only_bo])
    await amina.plays_tone(440)
    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)
    await eventually(lambda: chen.publication_of("amina", AUDIO), "Chen knows of it")
    assert not chen.track_of("amina", AUDIO)
    amina.me.set_track_subscription_permissions(allow_all_participants=True)
    await until_tone(await eventually(lambda: chen.track_of("amina", AUDIO), "it is for Chen too"), 440)

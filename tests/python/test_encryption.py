"""End-to-end encryption of LiveKit's Python SDK goes through the server untouched: who has the key hears, sees and reads."""

import asyncio

import numpy
from livekit import rtc

from person import SAMPLES_PER_S, eventually, has_halves, until_frame, until_tone

AUDIO, VIDEO = rtc.TrackKind.KIND_AUDIO, rtc.TrackKind.KIND_VIDEO


async def test_only_those_who_have_the_key_hear_see_and_read(joins):
    amina = await joins("amina", passphrase=b"correct horse battery staple")
    bo = await joins("bo", passphrase=b"correct horse battery staple")
    eve = await joins("eve", passphrase=b"another one")
    await eventually(lambda: len(amina.room.remote_participants) == 2, "all are there")
    await amina.plays_tone(440)
    await amina.shows_halves(640, 360)

    await until_tone(await eventually(lambda: bo.track_of("amina", AUDIO), "Amina's voice"), 440)
    await until_frame(await eventually(lambda: bo.track_of("amina", VIDEO), "her camera"), has_halves, "her picture")
    assert bo.publication_of("amina", AUDIO).encryption_type == rtc.EncryptionType.GCM

    await amina.me.publish_data("a secret", reliable=True)
    await eventually(lambda: [packet.data for packet in bo.received] == [b"a secret"], "the message")

    # What is encrypted arrives at Eve as well, and she can do nothing with it.
    voice = await eventually(lambda: eve.track_of("amina", AUDIO), "Amina's voice, unreadable")
    await eventually(lambda: eve.track_of("amina", VIDEO), "her camera, unreadable")
    await eve.receives_packets(100)
    samples = await _a_second_of(voice)
    assert numpy.abs(samples.astype(numpy.int32)).max() < 500, "Eve hears nothing"
    stats = (await eve.room.get_rtc_stats()).subscriber_stats
    frames = [s.inbound_rtp.inbound.frames_decoded for s in stats if s.HasField("inbound_rtp") and s.inbound_rtp.stream.kind == "video"]
    assert frames and not any(frames), "Eve sees nothing"
    assert eve.received == []


async def _a_second_of(track: rtc.RemoteAudioTrack):
    samples = numpy.zeros(0, dtype=numpy.int16)
    stream = rtc.AudioStream(track, sample_rate=SAMPLES_PER_S, num_channels=1)
    try:
        async with asyncio.timeout(60):
            async for event in stream:
                samples = numpy.concatenate([samples, numpy.frombuffer(event.frame.data, dtype=numpy.int16)])
                if len(samples) >= SAMPLES_PER_S:
                    return samples
    finally:
        await stream.aclose()

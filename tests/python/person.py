"""People who join a class through LiveKit's Python SDK: what they show and say, and what they see and hear."""

import asyncio
import contextlib
import time

import numpy
from livekit import rtc

SAMPLES_PER_S = 48_000
# Long enough for a busy machine; every wait ends as soon as what it waits for is there.
PATIENCE_S = 60


class Person:
    """One connected client. Everything that the SDK tells it is kept, so that a test can ask later."""

    def __init__(self, room: rtc.Room):
        self.room = room
        self.received: list[rtc.DataPacket] = []
        self.heard_of: list[tuple] = []
        self.speakers: set[str] = set()
        self._playing: list[asyncio.Task] = []
        self._kept: list[asyncio.Task] = []
        room.on("data_received", self.received.append)
        room.on("track_muted", lambda person, _: self.heard_of.append(("muted", person.identity)))
        room.on("track_unmuted", lambda person, _: self.heard_of.append(("unmuted", person.identity)))
        room.on("participant_disconnected", lambda person: self.heard_of.append(("left", person.identity)))
        room.on("connection_quality_changed", lambda person, _: self.heard_of.append(("quality", person.identity)))
        room.on("reconnected", lambda: self.heard_of.append(("reconnected", None)))
        room.on("disconnected", lambda _: self.heard_of.append(("disconnected", None)))
        room.on("active_speakers_changed", lambda speakers: self.speakers.update(s.identity for s in speakers))

    @property
    def me(self) -> rtc.LocalParticipant:
        return self.room.local_participant

    def sees(self, identity: str) -> rtc.RemoteParticipant | None:
        return self.room.remote_participants.get(identity)

    def track_of(self, identity: str, kind: int) -> rtc.Track | None:
        """The subscribed track of this kind, if it has arrived."""
        person = self.sees(identity)
        publications = person.track_publications.values() if person else ()
        return next((p.track for p in publications if p.kind == kind and p.track), None)

    def publication_of(self, identity: str, kind: int) -> rtc.RemoteTrackPublication | None:
        person = self.sees(identity)
        publications = person.track_publications.values() if person else ()
        return next((p for p in publications if p.kind == kind), None)

    async def plays_tone(
        self, hz: float, *, channels: int = 1, **how
    ) -> tuple[rtc.LocalAudioTrack, rtc.LocalTrackPublication]:
        """Publishes a microphone that says one sine wave until the person leaves; `how` as in `TrackPublishOptions`."""
        source = rtc.AudioSource(SAMPLES_PER_S, channels)
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, **how)
        publication = await self.me.publish_track(track, options)
        self._playing.append(asyncio.create_task(_play_sine(source, hz, channels)))
        return track, publication

    async def shows_halves(
        self, width: int, height: int, *, codec: int = rtc.VideoCodec.VP8, simulcast: bool = True,
        source: int = rtc.TrackSource.SOURCE_CAMERA,
    ) -> tuple[rtc.LocalVideoTrack, rtc.LocalTrackPublication]:
        """Publishes a camera whose left half is black and whose right half is white, until the person leaves."""
        frames = rtc.VideoSource(width, height)
        track = rtc.LocalVideoTrack.create_video_track("camera", frames)
        options = rtc.TrackPublishOptions(source=source, video_codec=codec, simulcast=simulcast)
        publication = await self.me.publish_track(track, options)
        self._playing.append(asyncio.create_task(_show_halves(frames, width, height)))
        return track, publication

    def keeps(self, task: asyncio.Task) -> None:
        """Holds on to a task that an event started; asyncio would let it be collected."""
        self._kept.append(task)

    async def receives_no_more(self) -> None:
        """Waits until a whole second brings no packet of sound or picture."""
        async with asyncio.timeout(PATIENCE_S):
            before, now = -1, await self._packets_received()
            while now != before:
                await asyncio.sleep(1)
                before, now = now, await self._packets_received()

    async def receives_packets(self, count: int) -> None:
        """Waits until so many packets of sound or picture have come."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._packets_received() < count:
                await asyncio.sleep(0.1)

    async def _packets_received(self) -> int:
        stats = (await self.room.get_rtc_stats()).subscriber_stats
        return sum(s.inbound_rtp.received.packets_received for s in stats if s.HasField("inbound_rtp"))

    async def leaves(self) -> None:
        for task in self._playing + self._kept:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.room.disconnect()


async def eventually(condition, what: str):
    """Waits until `condition()` is truthy, and gives what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"still waiting after {PATIENCE_S} s: {what}"
        await asyncio.sleep(0.05)


async def until_tone(track: rtc.RemoteAudioTrack, hz: float) -> None:
    """Listens until a whole second of sound has `hz` as its loudest frequency."""
    samples = numpy.zeros(0, dtype=numpy.int16)
    stream = rtc.AudioStream(track, sample_rate=SAMPLES_PER_S, num_channels=1)
    loudest = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream:
                samples = numpy.concatenate([samples, numpy.frombuffer(event.frame.data, dtype=numpy.int16)])
                if len(samples) < SAMPLES_PER_S:
                    continue
                loudest = _loudest_hz(samples[:SAMPLES_PER_S])
                if loudest is not None and abs(loudest - hz) <= 2:
                    return
                samples = samples[SAMPLES_PER_S // 2 :]
    except TimeoutError:
        pass
    finally:
        await stream.aclose()
    raise AssertionError(f"never heard {hz} Hz; the loudest at the end was {loudest} Hz")


async def until_frame(track: rtc.RemoteVideoTrack, wanted, what: str) -> rtc.VideoFrame:
    """Watches until a frame arrives that `wanted(frame)` accepts; frames are RGBA."""
    stream = rtc.VideoStream(track, format=rtc.VideoBufferType.RGBA)
    seen = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream:
                seen = (event.frame.width, event.frame.height)
                if wanted(event.frame):
                    return event.frame
    except TimeoutError:
        pass
    finally:
        await stream.aclose()
    raise AssertionError(f"never saw {what}; the last frame was {seen}")


def has_halves(frame: rtc.VideoFrame) -> bool:
    """Whether this is what `shows_halves` shows."""
    pixels = numpy.frombuffer(frame.data, dtype=numpy.uint8).reshape(frame.height, frame.width, 4)[:, :, :3]
    third = frame.width // 3
    return pixels[:, :third].mean() < 50 and pixels[:, -third:].mean() > 200


def _loudest_hz(samples) -> float | None:
    """The frequency with the most energy, to the nearest hertz for one second of sound; None in silence."""
    if numpy.abs(samples.astype(numpy.int32)).max() < 500:
        return None
    spectrum = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples))))
    return float(spectrum.argmax() * SAMPLES_PER_S / len(samples))


async def _play_sine(source: rtc.AudioSource, hz: float, channels: int) -> None:
    samples_per_frame = SAMPLES_PER_S // 50
    start = 0
    while True:
        at = (start + numpy.arange(samples_per_frame)) / SAMPLES_PER_S
        wave = (numpy.sin(2 * numpy.pi * hz * at) * 12_000).astype(numpy.int16).repeat(channels)
        # Waits while its queue is full, and so keeps real time.
        await source.capture_frame(rtc.AudioFrame(wave.tobytes(), SAMPLES_PER_S, channels, samples_per_frame))
        start += samples_per_frame


async def _show_halves(source: rtc.VideoSource, width: int, height: int) -> None:
    picture = numpy.zeros((height, width, 4), dtype=numpy.uint8)
    picture[:, width // 2 :, :3] = 255
    picture[:, :, 3] = 255
    frame = rtc.VideoFrame(width, height, rtc.VideoBufferType.RGBA, picture.tobytes())
    while True:
        source.capture_frame(frame)
        await asyncio.sleep(1 / 15)

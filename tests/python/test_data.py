"""What applications send each other through LiveKit's Python SDK: calls, streams, transcriptions."""

import asyncio
import random

import pytest
import pytest_asyncio
from livekit import rtc

from person import eventually

ErrorCode = rtc.RpcError.ErrorCode


@pytest_asyncio.fixture
async def three(joins):
    """Amina, Bo and Chen, who see each other."""
    people = [await joins(identity) for identity in ("amina", "bo", "chen")]
    for person in people:
        await eventually(lambda: len(person.room.remote_participants) == 2, "all are there")
    return people


async def refused(person, **call) -> rtc.RpcError:
    """Calls a method, and gives the error that the call ends with."""
    with pytest.raises(rtc.RpcError) as refusal:
        await person.me.perform_rpc(**call)
    return refusal.value


async def test_a_call_is_answered_by_the_method_of_the_person_who_is_called(three):
    amina, bo, _ = three
    for callee, caller in ((bo, amina), (amina, bo)):

        @callee.me.register_rpc_method("greet")
        async def greet(call: rtc.RpcInvocationData) -> str:
            return f"{call.payload}, {call.caller_identity}"

        answer = await caller.me.perform_rpc(
            destination_identity=callee.me.identity, method="greet", payload="hello"
        )
        assert answer == f"hello, {caller.me.identity}"


async def test_a_call_brings_back_the_error_that_the_method_gives(three):
    amina, bo, _ = three

    @bo.me.register_rpc_method("grade")
    async def grade(_: rtc.RpcInvocationData) -> str:
        raise rtc.RpcError(107, "not yet graded", "essay 3")

    error = await refused(amina, destination_identity="bo", method="grade", payload="")
    assert (error.code, error.message, error.data) == (107, "not yet graded", "essay 3")


async def test_a_call_that_nobody_answers_ends_with_an_error(three):
    amina, bo, _ = three

    @bo.me.register_rpc_method("ponder")
    async def ponder(_: rtc.RpcInvocationData) -> str:
        await asyncio.sleep(600)
        return "too late"

    error = await refused(amina, destination_identity="bo", method="unheard-of", payload="")
    assert error.code == ErrorCode.UNSUPPORTED_METHOD
    slow, nobody = await asyncio.gather(
        refused(amina, destination_identity="bo", method="ponder", payload="", response_timeout=1.5),
        refused(amina, destination_identity="nobody", method="ponder", payload="", response_timeout=1.5),
    )
    assert slow.code == ErrorCode.RESPONSE_TIMEOUT
    assert nobody.code in (ErrorCode.CONNECTION_TIMEOUT, ErrorCode.RESPONSE_TIMEOUT, ErrorCode.RECIPIENT_NOT_FOUND)


def reads_texts(person, topic: str) -> list[tuple[str, str, dict]]:
    """Lets somebody read the texts of a topic; each is in the list when it is whole."""
    got: list[tuple[str, str, dict]] = []

    async def read(reader: rtc.TextStreamReader, identity: str) -> None:
        got.append((await reader.read_all(), identity, reader.info.attributes or {}))

    person.room.register_text_stream_handler(
        topic, lambda reader, identity: person.keeps(asyncio.create_task(read(reader, identity)))
    )
    return got


async def test_a_text_stream_reaches_everybody_however_long_with_its_attributes(three):
    amina, bo, chen = three
    read = [reads_texts(person, "essay") for person in (bo, chen)]
    # Not worth compressing, so that it takes many chunks.
    text = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz ", k=100_000)) + " é 漢字"
    await amina.me.send_text(text, topic="essay", attributes={"draft": "2"})
    for got in read:
        [(arrived, identity, attributes)] = await eventually(lambda: got, "the essay")
        assert arrived == text
        assert identity == "amina"
        assert attributes["draft"] == "2"


async def test_a_text_stream_for_somebody_reaches_nobody_else(three):
    amina, bo, chen = three
    to_bo, to_chen = (reads_texts(person, "lk.chat") for person in (bo, chen))
    await amina.me.send_text("for Bo", topic="lk.chat", destination_identities=["bo"])
    await amina.me.send_text("for all", topic="lk.chat")
    await eventually(lambda: [text for text, *_ in to_bo] == ["for Bo", "for all"], "both reach Bo")
    await eventually(lambda: [text for text, *_ in to_chen] == ["for all"], "one reaches Chen")


async def test_a_text_stream_is_read_while_it_is_written(three):
    amina, bo, _ = three
    words: list[str] = []

    async def read(reader: rtc.TextStreamReader) -> None:
        async for chunk in reader:
            words.append(chunk)
        words.append(".")

    bo.room.register_text_stream_handler(
        "caption", lambda reader, _: bo.keeps(asyncio.create_task(read(reader)))
    )
    writer = await amina.me.stream_text(topic="caption")
    await writer.write("the square ")
    await eventually(lambda: "".join(words) == "the square ", "the first words")
    await writer.write("of two")
    await writer.aclose()
    await eventually(lambda: "".join(words) == "the square of two.", "the rest")


async def test_a_byte_stream_brings_a_file_whole(three, tmp_path):
    amina, bo, _ = three
    essay = tmp_path / "essay.pdf"
    essay.write_bytes(random.Random(8).randbytes(60_000))
    for sender, receiver in ((amina, bo), (bo, amina)):
        got: list[tuple[bytes, int, str, str]] = []

        async def read(reader: rtc.ByteStreamReader, identity: str) -> None:
            chunks = [chunk async for chunk in reader]
            got.append((b"".join(chunks), len(chunks), reader.info.name, identity))

        receiver.room.register_byte_stream_handler(
            "homework", lambda reader, identity: receiver.keeps(asyncio.create_task(read(reader, identity)))
        )
        await sender.me.send_file(
            str(essay), topic="homework", destination_identities=[receiver.me.identity]
        )
        [(content, chunks, name, identity)] = await eventually(lambda: got, "the file")
        assert content == essay.read_bytes()
        assert (name, identity) == ("essay.pdf", sender.me.identity)
        assert chunks > 1


async def test_a_large_burst_arrives_once_and_in_order(three):
    amina, bo, chen = three
    count = 60
    await asyncio.gather(
        *(amina.me.publish_data(f"{number} ".ljust(12_000, "x"), reliable=True) for number in range(count))
    )
    for person in (bo, chen):
        await eventually(lambda: len(person.received) >= count, f"{count} messages")
        assert all(len(packet.data) == 12_000 for packet in person.received)
        numbers = [int(packet.data.split(b" ")[0]) for packet in person.received]
        # The calls go out side by side, in an order of the SDK's own; each arrives once.
        assert sorted(numbers) == list(range(count))


async def test_an_agent_writes_down_the_words_of_another_and_nobody_else_does(joins):
    amina, bo = await joins("amina"), await joins("bo")
    scribe = await joins("scribe", kind="agent")
    _, voice = await amina.plays_tone(440)
    heard: list[tuple[str, list[str]]] = []
    bo.room.on(
        "transcription_received",
        lambda segments, person, _: heard.append((person.identity if person else "", [s.text for s in segments])),
    )
    await eventually(lambda: bo.sees("scribe") and bo.sees("amina"), "all are there")

    def says(text: str) -> rtc.Transcription:
        segment = rtc.TranscriptionSegment(id=text, text=text, start_time=0, end_time=0, language="en", final=True)
        return rtc.Transcription(participant_identity="amina", track_sid=voice.sid, segments=[segment])

    await amina.me.publish_transcription(says("as if by an agent"))
    # The lane is ordered for each sender: what Amina sends after it shows that it is not on its way.
    await amina.me.publish_data("done", reliable=True)
    await eventually(lambda: bo.received, "what Amina sent after it")
    await scribe.me.publish_transcription(says("good morning"))
    await eventually(lambda: heard, "the transcription")
    assert heard == [("amina", ["good morning"])]

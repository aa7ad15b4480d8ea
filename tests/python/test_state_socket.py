"""The state socket, by the client of a hundred lines that docs/ has."""

import asyncio
import contextlib
import pathlib
import socket
import sys

import pytest

import server as lyceum

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "docs" / "clients"))
from classroom import Classroom  # noqa: E402

WAIT_S = 30


@pytest.fixture
def comes(server, room_name):
    """`async with comes("amina") as amina`: somebody is in the class, and leaves at the end."""

    @contextlib.asynccontextmanager
    async def come(identity: str, url: str = server.ws_url, **grants):
        token = lyceum.token(identity, name=identity.title(), room_join=True, room=room_name, **grants)
        person = Classroom(url, token, tell=lambda line: None)
        running = asyncio.create_task(person.run())
        await until(lambda: ("participants", identity) in person.entities)
        yield person
        if person.ended is None:
            await person.leave()
        await asyncio.wait_for(running, WAIT_S)

    return come


async def test_what_one_does_everybody_sees(comes):
    async with comes("amina") as amina, comes("teacher", room_admin=True) as teacher:
        raised = await amina.command("hand.raise", {"intent": "question"})
        assert raised["status"] == "accepted"
        assert ("hands", "amina") in amina.entities, "the event comes before the answer"
        await until(lambda: ("hands", "amina") in teacher.entities)
        assert (await teacher.command("hand.call", {"person": "amina"}))["status"] == "accepted"
        await until(lambda: ("hands", "amina") not in amina.entities)
        refused = await amina.command("hand.call", {"person": "teacher"})
        assert (refused["status"], refused["code"]) == ("rejected", "forbidden")
        body = "à bientôt, 明天见 🌍 \u2028\t\"\\"
        assert (await amina.command("chat.send", {"body": body}))["status"] == "accepted"
        await until(lambda: amina.agreed and teacher.agreed)
        assert amina.diverged == teacher.diverged == 0


async def test_comes_back_and_nothing_is_lost_or_doubled(comes, server):
    async with Relay(server.http_port) as relay, comes("teacher", room_admin=True) as teacher:
        async with comes("amina", url=relay.url) as amina:
            for n in range(5):
                relay.cut()
                assert (await amina.command("chat.send", {"body": f"words {n}"}))["status"] == "accepted"
                assert (await teacher.command("chat.send", {"body": f"reply {n}"}))["status"] == "accepted"
            await until(lambda: len(messages(amina)) == len(messages(teacher)) == 10)
            assert [body for body in messages(teacher) if body.startswith("words")] == [f"words {n}" for n in range(5)]
            before = amina.agreed, teacher.agreed
            await until(lambda: amina.agreed > before[0] and teacher.agreed > before[1])
            assert amina.diverged == teacher.diverged == 0


def messages(person: Classroom) -> list[str]:
    """In the order in which they were written."""
    ids = sorted(int(key) for name, key in person.entities if name == "messages")
    return [person.entities["messages", str(key)]["body"] for key in ids]


async def test_is_told_why_not(server):
    stranger = Classroom(server.ws_url, lyceum.token("eve", secret="another", room_join=True, room="door"))
    bye = await asyncio.wait_for(stranger.run(), WAIT_S)
    assert (bye["code"], bye["retry"]) == ("unauthorized", False)


class Relay:
    """The network between a client and the server."""

    def __init__(self, port: int):
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            # Nothing that is on its way arrives.
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            there, to_there = await asyncio.open_connection("127.0.0.1", self._port)
            self._writers |= {writer, to_there}
            await asyncio.gather(_pipe(reader, to_there), _pipe(there, writer))


async def _pipe(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def until(holds):
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0.02)

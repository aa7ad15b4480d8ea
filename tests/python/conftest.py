"""One server for the whole run; each test has a class of its own, named after it."""

import contextlib

import pytest
import pytest_asyncio
from livekit import rtc

import server as lyceum
from person import Person


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = lyceum.Server(tmp_path_factory.mktemp("lyceum"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def room_name(request) -> str:
    return request.node.name.replace("_", "-")


@pytest_asyncio.fixture
async def joins(server, room_name):
    """`await joins("amina")` lets somebody join the test's class; all of them leave at its end."""
    people: list[Person] = []

    async def join(
        identity: str, *, name: str = "", attributes=None, kind: str = "standard", auto_subscribe: bool = True,
        passphrase: bytes | None = None, **grants,
    ) -> Person:
        person = Person(rtc.Room())
        token = lyceum.token(
            identity, name=name, attributes=attributes, kind=kind, room_join=True, room=room_name, **grants
        )
        options = rtc.RoomOptions(auto_subscribe=auto_subscribe)
        if passphrase is not None:
            options.encryption = rtc.E2EEOptions(rtc.KeyProviderOptions(shared_key=passphrase))
        await person.room.connect(server.ws_url, token, options)
        people.append(person)
        return person

    yield join
    for person in people:
        with contextlib.suppress(Exception):
            await person.leaves()

"""A classroom in little more than a hundred lines: comes in, shows the class as it changes, does what is typed, and comes back after a break.

    python classroom.py wss://class.example.org TOKEN
    hand.raise {"intent": "question"}

It needs Python 3.11 and aiohttp, and knows no rule of the class: docs/protocol.md ("The state socket") is all there is to it.
"""

import asyncio
import contextlib
import json
import secrets
import sys
import time
import uuid

import aiohttp

SILENCE_S = 12  # The server says something every five seconds.


class Classroom:
    def __init__(self, url: str, token: str, tell=print):
        self.url, self.token, self.tell = url, token, tell
        self.device = f"py-{secrets.token_hex(8)}"
        self.entities: dict[tuple[str, str], object] = {}
        self.session, self.seq, self.you, self.ended = None, 0, None, None
        self.agreed = self.diverged = 0
        self._unanswered: dict[str, tuple[dict, asyncio.Future]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def run(self) -> dict:
        """Stays in the class, through breaks, until the server says the last word; gives it."""
        async with aiohttp.ClientSession() as http:
            while self.ended is None:
                with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, ConnectionError):
                    async with http.ws_connect(f"{self.url}/classroom/v1", max_msg_size=0) as socket:
                        await self._talk(socket)
                self._socket = None
                if self.ended is None:
                    await asyncio.sleep(0.2 + secrets.randbelow(800) / 1000)
        for _, answer in self._unanswered.values():
            answer.cancel()
        return self.ended

    async def command(self, kind: str, payload: dict | None = None, expect: int | None = None) -> dict:
        """Does something; gives the server's `ack`. Sent again with the same id after a break, it happens once."""
        message = {"t": "cmd", "id": command_id(), "type": kind, "payload": payload or {}}
        if expect is not None:
            message["expect"] = expect
        answer = asyncio.get_running_loop().create_future()
        self._unanswered[message["id"]] = (message, answer)
        await self._say(message)
        return await answer

    async def leave(self) -> None:
        await self._say({"t": "leave"})

    def hash(self) -> str:
        total = 0
        for (collection, key), entity in self.entities.items():
            text = json.dumps(entity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            fnv = 0x811C9DC5
            for byte in f"{collection}/{key}={text}".encode():
                fnv = (fnv ^ byte) * 0x01000193 & 0xFFFFFFFF
            total += fnv
        return f"{total & 0xFFFFFFFF:08x}"

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        hello = {"t": "hello", "token": self.token, "device": self.device, "client": {"sdk": "classroom.py"}}
        if self.session is not None:
            hello |= {"session": self.session, "seq": self.seq}
        await socket.send_json(hello)
        while True:
            frame = await asyncio.wait_for(socket.receive(), SILENCE_S)
            if frame.type != aiohttp.WSMsgType.TEXT:
                return
            message = json.loads(frame.data)
            match message["t"]:
                case "welcome":
                    self.session, self.you, self.token = message["session"], message["you"], message["token"]
                    if "snapshot" in message:
                        collections = message["snapshot"].items()
                        self.entities = {(name, key): is_ for name, of in collections for key, is_ in of.items()}
                    for missed in message.get("delta", {}).get("events", []):
                        self._apply(missed)
                    self.seq, self._socket = message["seq"], socket
                    self.tell(f"{message['state']} as {self.you}: {len(self.entities)} entities")
                    for unanswered, _ in list(self._unanswered.values()):
                        await self._say(unanswered)
                case "ev":
                    self._apply(message)
                case "ack" if message["id"] in self._unanswered:
                    self._unanswered.pop(message["id"])[1].set_result(message)
                case "pulse" if message["hash"] == self.hash():
                    self.seq, self.agreed = message["seq"], self.agreed + 1
                case "pulse":
                    self.session, self.diverged = None, self.diverged + 1
                    return
                case "bye":
                    self.ended = None if message["retry"] else message
                    return

    def _apply(self, message: dict) -> None:
        self.seq = message["event"]["seq"]
        self.tell(f"{self.seq} {message['event'].get('type', '')} {message['event'].get('payload', '')}")
        for change in message.get("changes", []):
            key = (change["in"], change["id"])
            if change["is"] is None:
                self.entities.pop(key, None)
            else:
                self.entities[key] = change["is"]

    async def _say(self, message: dict) -> None:
        if self._socket is not None:
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                await self._socket.send_json(message)


def command_id() -> str:
    """A UUIDv7."""
    bits = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(76) & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=bits | 0x7 << 76))


async def main() -> None:
    classroom = Classroom(*sys.argv[1:3])
    running = asyncio.create_task(classroom.run())
    while line := await asyncio.to_thread(sys.stdin.readline):
        kind, _, payload = line.strip().partition(" ")
        if kind:
            print(await classroom.command(kind, json.loads(payload or "{}")))
    await classroom.leave()
    print(await running)


if __name__ == "__main__":
    asyncio.run(main())

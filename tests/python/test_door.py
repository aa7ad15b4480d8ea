"""Who may come in, what those are told who may not, and who may read a class's log."""

import json
import urllib.error
import urllib.request

import pytest
from livekit import rtc

import server as lyceum
from person import Person, eventually


def request(server, path: str, token: str | None = None, body=None) -> tuple[int, str]:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(server.http_url + path, data, headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


REFUSED = {
    "a wrong secret": (lambda room: lyceum.token("eve", secret="not-the-secret" * 3, room_join=True, room=room), 401),
    "an expired token": (lambda room: lyceum.token("eve", ttl_s=-3600, room_join=True, room=room), 401),
    "no right to join": (lambda room: lyceum.token("eve", room=room, room_list=True), 401),
    "no token at all": (lambda room: "", 401),
    "something that is no token": (lambda room: "a.b.c", 401),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_refused_before_the_upgrade(server, why):
    make_token, status = REFUSED[why]
    bad = make_token("closed-room")
    answered, sentence = request(server, f"/rtc/validate?access_token={bad}")
    assert answered == status
    assert len(sentence) > 10, "the answer says in words what was wrong"
    with pytest.raises(rtc.ConnectError):
        await Person(rtc.Room()).room.connect(server.ws_url, bad, rtc.RoomOptions())


def test_a_good_token_is_told_so(server):
    good = lyceum.token("amina", room_join=True, room="open-room")
    assert request(server, f"/rtc/validate?access_token={good}") == (200, "success")


def test_the_newer_dialect_is_answered_with_not_found_readable_by_any_page(server):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(server.http_url + "/rtc/v1/validate?access_token=x", timeout=30)
    assert refusal.value.code == 404
    assert refusal.value.headers["access-control-allow-origin"] == "*"


def test_a_room_is_made_only_with_the_grant_for_it(server):
    body = {"name": "algebra-1"}
    assert request(server, "/api/v1/rooms", None, body)[0] == 401
    status, answer = request(server, "/api/v1/rooms", lyceum.token("eve", room_list=True), body)
    assert status == 403
    assert json.loads(answer)["code"]
    status, answer = request(server, "/api/v1/rooms", lyceum.token("school", room_create=True), body)
    assert status == 200
    assert json.loads(answer)["name"] == "algebra-1"
    assert set(json.loads(answer)["invites"]) == {"instructor", "learner"}


async def test_the_log_of_a_class_tells_what_happened(server, joins, room_name):
    amina = await joins("amina")
    voice, _ = await amina.plays_tone(440)
    session = await amina.room.sid
    bo = await joins("bo")
    await eventually(lambda: bo.publication_of("amina", rtc.TrackKind.KIND_AUDIO), "the track is published")
    voice.mute()
    await eventually(lambda: ("muted", "amina") in bo.heard_of, "Bo sees the mute")
    await amina.leaves()

    status, answer = request(server, "/api/v1/sessions", lyceum.token("school", room_list=True))
    assert status == 200
    assert session in answer

    path = f"/api/v1/sessions/{session}/events?from=1"
    assert request(server, path)[0] == 401
    other_room = lyceum.token("eve", room_admin=True, room="another-room")
    assert request(server, path, other_room)[0] in (403, 404)

    admin = lyceum.token("school", room_admin=True, room=room_name)

    def log() -> list[dict]:
        status, answer = request(server, path, admin)
        assert status == 200
        return json.loads(answer)["events"]

    await eventually(lambda: any(event["type"] == "participant.left" for event in log()), "the goodbye in the log")
    events = log()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    story = [
        "session.started", "participant.admitted", "connection.attached", "track.published", "track.muted",
        "track.unpublished", "connection.detached", "participant.left",
    ]
    places = [kinds.index(kind) for kind in story]
    assert places == sorted(places), kinds
    assert all(later["at"] >= earlier["at"] for earlier, later in zip(events, events[1:]))

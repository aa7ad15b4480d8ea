"""Learning records with TinCan for Python, a client of others that speaks 1.0.1, against the record store of a real server."""

import uuid

import pytest
from tincan import Activity, Agent, AgentAccount, RemoteLRS, Result, Score, Statement, StatementRef, Verb
from tincan.documents import StateDocument

import server as lyceum

ADA = Agent(account=AgentAccount(home_page="https://school.example", name="ada"))
ANSWERED = Verb(id="https://school.example/verbs/answered", display={"en": "answered"})


@pytest.fixture
def store(server) -> RemoteLRS:
    return RemoteLRS(
        endpoint=f"{server.http_url}/xapi/", username=lyceum.API_KEY, password=lyceum.API_SECRET, version="1.0.1"
    )


@pytest.fixture
def activity() -> Activity:
    return Activity(id=f"https://school.example/activities/{uuid.uuid4()}")


def answer(activity: Activity, points: int = 1) -> Statement:
    return Statement(actor=ADA, verb=ANSWERED, object=activity, result=Result(score=Score(raw=points)))


def test_statements_are_written_and_read(store, activity):
    saved = store.save_statement(answer(activity, 7))
    assert saved.success, saved.data
    read = store.retrieve_statement(saved.content.id)
    assert (read.content.actor.account.name, read.content.object.id) == ("ada", activity.id)
    assert read.content.result.score.raw == 7 and read.content.stored is not None
    named = answer(activity)
    named.id = str(uuid.uuid4())
    assert store.save_statement(named).success
    found = store.query_statements({"activity": activity, "agent": ADA, "verb": ANSWERED, "ascending": "true"})
    assert [one.id for one in found.content.statements] == [saved.content.id, named.id]


def test_pages_follow_each_other_while_others_write(store, activity):
    many = store.save_statements([answer(activity, points) for points in range(25)])
    assert many.success, many.data
    seen = []
    page = store.query_statements({"activity": activity, "limit": 7, "ascending": "true"}).content
    while True:
        seen += [one.result.score.raw for one in page.statements]
        if not page.more:
            break
        assert store.save_statement(answer(activity, 99)).success
        page = store.more_statements(page).content
    assert seen == list(range(25))


def test_a_statement_is_voided(store, activity):
    saved = store.save_statement(answer(activity)).content
    void = Statement(actor=ADA, verb=Verb(id="http://adlnet.gov/expapi/verbs/voided"), object=StatementRef(id=saved.id))
    assert store.save_statement(void).success
    assert not store.retrieve_statement(saved.id).success
    assert store.retrieve_voided_statement(saved.id).content.id == saved.id


def test_state_is_changed_by_its_etag_only(store, activity):
    place = {"id": "bookmark", "activity": activity, "agent": ADA}
    saved = store.save_state(StateDocument(**place, content="page 3", content_type="text/plain"))
    assert saved.success, saved.data
    read = store.retrieve_state(activity, ADA, "bookmark")
    assert bytes(read.content.content) == b"page 3"
    # TinCan sends what is in `etag`, and does not read it by itself.
    etag = read.response.getheader("etag")
    change = StateDocument(**place, content="page 4", content_type="text/plain", etag=etag)
    # It also sends each change twice and tells of the second answer, which an etag makes a refusal.
    assert store.save_state(change).response.status == 412
    assert bytes(store.retrieve_state(activity, ADA, "bookmark").content.content) == b"page 4"
    stale = StateDocument(**place, content="page 5", content_type="text/plain", etag=etag)
    assert store.save_state(stale).response.status == 412
    assert bytes(store.retrieve_state(activity, ADA, "bookmark").content.content) == b"page 4"
    assert store.retrieve_state_ids(activity, ADA).content == ["bookmark"]
    assert store.clear_state(activity, ADA).success
    assert store.retrieve_state_ids(activity, ADA).content == []


def test_what_is_wrong_is_refused_with_its_place(store, activity):
    wrong = answer(activity)
    wrong.result.score.scaled = 0.5
    wrong.result.score.min = 5
    refused = store.save_statement(wrong)
    assert refused.response.status == 400 and "/result/score" in str(refused.data)
    store.auth = "Basic bm86bm8="
    assert store.query_statements({"limit": 1}).response.status == 401

"""Submissions: writes wait, take effect on completion, and report what prevented it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from impact_sandbox import Rules, World

from tests.impact_sandbox.conftest import Ask, Client
from tests.support.waiting import wait_for

UPDATE = {"Reason": "ORDER_UPDATE"}


@pytest.fixture
def fresh(ask: Ask) -> Client:
    """Return a client for a world whose rules and clock a test may set."""
    return ask(World(days=1, per_day=0))


def test_queued(fresh: Client) -> None:
    """A write is answered with the link to its submission, the same in every run."""
    response = fresh.put(ActionId="x", **UPDATE)
    submission = fresh.world.submissions[0]
    assert response.json() == {"Status": "QUEUED", "QueuedUri": f"{fresh.base}/APISubmissions/{submission.batch_id}"}
    assert submission.batch_id == World(days=1, per_day=0).submit(submission.write).batch_id


@pytest.mark.parametrize("end", [".json", "?format=json", "/"])
def test_queued_uri(fresh: Client, end: Any) -> None:  # noqa: ANN401 - a rule
    """Other forms of the link to a submission are rules; one that ends in .json leads there as well."""
    fresh.world.rules = Rules(queued_uri=end)
    uri = fresh.put(ActionId="x", **UPDATE).json()["QueuedUri"]
    assert uri == f"{fresh.base}/APISubmissions/{fresh.world.submissions[0].batch_id}{end}"
    assert end == "/" or fresh.http.get(uri.partition("?")[0]).status_code == 200


@pytest.mark.parametrize("word", ["NONE", "None", "null"])
def test_no_error(fresh: Client, word: Any) -> None:  # noqa: ANN401 - a rule
    """A word may say that there was no error, once that is known."""
    fresh.world.rules = Rules(no_error=word)
    queued = fresh.put(ActionId=fresh.world.create(), **UPDATE)
    assert fresh.submission(queued)["ErrorType"] == ""
    row = fresh.complete(queued)
    assert (row["ErrorType"], row["ErrorReason"]) == (word, word)
    row = fresh.complete(fresh.put(ActionId="x", **UPDATE))
    assert (row["ErrorType"], row["ErrorReason"]) == ("Validation", "ACTION_REF_NOT_FOUND")


def test_stages_by_polls(fresh: Client) -> None:
    """While the clock stands, each poll shows the next stage; the action changes with the last one."""
    action_id = fresh.world.create(Amount="10.00")
    queued = fresh.put(ActionId=action_id, Amount="4", **UPDATE)
    told = [(fresh.submission(queued)["Status"], fresh.action(action_id)["Amount"]) for _ in range(4)]
    assert told == [("Queued", "10.00"), ("In Progress", "10.00"), ("Complete", "4.00"), ("Complete", "4.00")]


def test_more_polls(ask: Ask) -> None:
    """A rule sets how many polls show the same stage; with 0 only the clock ends it."""
    client = ask(World(days=1, per_day=0, rules=Rules(submission_polls=2)))
    queued = client.put(ActionId="x", **UPDATE)
    told = [client.submission(queued)["Status"] for _ in range(5)]
    assert told == ["Queued", "Queued", "In Progress", "In Progress", "Complete"]
    client.world.rules = Rules(submission_polls=0)
    queued = client.put(ActionId="x", **UPDATE)
    assert {client.submission(queued)["Status"] for _ in range(5)} == {"Queued"}


def test_stages_by_clock(ask: Ask) -> None:
    """Stages pass with the clock, without polls, and reports of an instant hold if the clock is set back to it."""
    client = ask(World(days=1, per_day=0, rules=Rules(submission_seconds=60, submission_polls=0)))
    world = client.world
    action_id = world.create(Amount="10.00")
    begin = world.now
    queued = client.put(ActionId=action_id, Amount="4", **UPDATE)
    expected = [(0, "Queued"), (59, "Queued"), (60, "In Progress"), (119, "In Progress"), (120, "Complete")]
    for seconds, status in (*expected, *reversed(expected)):
        world.set_now(begin + timedelta(seconds=seconds))
        row = client.submission(queued)
        assert row["Status"] == status
        assert (row["CompletionDate"] != "") == (status == "Complete")
        assert client.action(action_id)["Amount"] == ("4.00" if status == "Complete" else "10.00")
    world.set_now(begin - timedelta(seconds=1))
    assert client.http.get(queued.json()["QueuedUri"]).status_code == 404


def test_no_wait(ask: Ask) -> None:
    """Stages of no length pass at once."""
    client = ask(World(days=1, per_day=0, rules=Rules(submission_seconds=0)))
    action_id = client.world.create()
    queued = client.put(ActionId=action_id, Amount="4", **UPDATE)
    assert client.action(action_id)["Amount"] == "4.00"
    assert client.submission(queued)["Status"] == "Complete"


def test_a_jump_of_the_clock(ask: Ask) -> None:
    """A clock that jumps processes each write that it passed at its own instant, before anything later."""
    client = ask(World(days=1, per_day=0, rules=Rules(submission_seconds=60)))
    world = client.world
    action_id = world.create(Amount="10.00", LockingDate="2026-01-20T00:00:00-08:00")
    client.put(ActionId=action_id, Amount="4", **UPDATE)
    world.advance(days=60)
    world.modify(action_id, Note="later")
    row = client.action(action_id)
    assert (row["Amount"], row["State"], row["Note"]) == ("4.00", "APPROVED", "later")
    assert row["ClearedDate"]
    world.set_now(world.now - timedelta(days=59))
    assert client.action(action_id)["State"] == "PENDING"
    assert client.items(action_id)[0]["AdjustmentDate"] == "2026-01-15T04:02:00-08:00"


def test_fields(fresh: Client) -> None:
    """A submission reports what was sent and, once the action was found, whose it was."""
    action_id = fresh.world.create("2000", Oid="7/7", MediaPartnerId="10017", EventCode="BUY")
    queued = fresh.delete(ActionId=action_id, DispositionCode="OTHER")
    uri = queued.json()["QueuedUri"]
    waiting = {
        "BatchId": uri.rpartition("/")[2],
        "AccountId": "2026001",
        "SubmissionDate": "2026-01-15T04:00:00-08:00",
        "CampaignId": "",
        "ActionTrackerId": "",
        "MediaPartnerId": "",
        "EventCode": "",
        "OrderId": "",
        "Payload": f"ActionId={action_id}&DispositionCode=OTHER",
        "Type": "Reversal",
        "Status": "Queued",
        "CompletionDate": "",
        "ErrorType": "",
        "ErrorReason": "",
        "Uri": uri,
    }
    found = {"CampaignId": "2000", "ActionTrackerId": "2240", "MediaPartnerId": "10017", "EventCode": "BUY"}
    assert fresh.submission(queued) == waiting
    fresh.world.advance(seconds=30)
    done = {**waiting, **found, "OrderId": "7/7", "Status": "Complete", "CompletionDate": "2026-01-15T04:00:10-08:00"}
    assert fresh.submission(queued) == done


def test_typed_fields(fresh: Client) -> None:
    """The typed wire format has numbers, nulls and UTC dates."""
    fresh.world.rules = Rules(wire="typed")
    action_id = fresh.world.create()
    queued = fresh.put(ActionId=action_id, **UPDATE)
    row = fresh.submission(queued)
    assert [row[name] for name in ("AccountId", "CampaignId", "ActionTrackerId", "MediaPartnerId")] == [
        2026001,
        None,
        None,
        None,
    ]
    assert (row["SubmissionDate"], row["CompletionDate"]) == ("2026-01-15T12:00:00.000Z", None)
    row = fresh.complete(queued)
    assert (row["CampaignId"], row["MediaPartnerId"], row["CompletionDate"]) == (
        1000,
        10000,
        "2026-01-15T12:00:00.000Z",
    )


def test_list(fresh: Client) -> None:
    """The list holds every submission, newest first, and moves none of them on."""
    queued = [fresh.put(ActionTrackerId="2240", OrderId=str(order), **UPDATE) for order in range(3)]
    for _ in range(3):
        rows = fresh.rows("/APISubmissions")
        assert [(row["OrderId"], row["Status"], row["Type"]) for row in rows] == [
            (order, "Queued", "Modification") for order in ("2", "1", "0")
        ]
    assert rows == [fresh.submission(each) for each in reversed(queued)]
    fresh.world.rules = Rules(submissions_key="APISubmissions")
    assert fresh.rows("/APISubmissions") == fresh.get("/APISubmissions").json()["APISubmissions"]
    fresh.world.rules = Rules()
    page = fresh.get("/APISubmissions", PageSize="2", Page="2").json()
    assert (page["@total"], len(page["APISubmission"])) == ("3", 1)


def test_unknown_submission(fresh: Client) -> None:
    """A submission that does not exist is a 404."""
    assert fresh.get("/APISubmissions/A-1").status_code == 404
    assert fresh.get("/APISubmissions/A-1/x").status_code == 404


def test_scope(ask: Ask) -> None:
    """Submissions have their own scope: a token may write but not see the result."""
    client = ask(World(days=1, per_day=0), scopes={"Actions:write"})
    uri = client.put(ActionId="x", **UPDATE).json()["QueuedUri"]
    assert client.http.get(uri).status_code == 403


MALFORMED = [
    {"Amount": "a lot"},
    {"Amount": ""},
    {"Amount": "-1"},
    {"Amount": "1,50"},
    {"Amount": "1e3"},
    {"ActionTrackerId": "Sale"},
    {"Sku": "12345", "Quantity": "1.5"},
    {"Sku": "12345", "Quantity": "-1"},
    {"Sku": "12345", "Amount": "NaN"},
    {"Sku": "12345", "ItemSubTotalDelta": "minus 5"},
    {"Sku": "12345", "Category": "x" * 256},
]


@pytest.mark.parametrize("values", MALFORMED)
def test_malformed(desk: Client, values: dict[str, str]) -> None:
    """A value of the wrong type is found on processing, and nothing changes."""
    action_id = desk.world.create()
    before = desk.action(action_id)
    row = desk.complete(desk.put(ActionId=action_id, **UPDATE, **values))
    assert row["ErrorType"] == "Validation"
    assert "MALFORMED" in row["ErrorReason"].split()
    assert desk.action(action_id) == before


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Reason": "BECAUSE"}, "SANDBOX_INVALID_REASON"),
        ({"Reason": "REJECTED"}, "SANDBOX_INVALID_REASON"),
        ({"DispositionCode": "BECAUSE"}, "SANDBOX_INVALID_DISPOSITION_CODE"),
        ({"CustomerStatus": "VIP"}, "SANDBOX_INVALID_CUSTOMER_STATUS"),
        ({"CustomerStatus": ""}, "SANDBOX_INVALID_CUSTOMER_STATUS"),
        ({"Sku": "12345", "ItemSubTotalDelta": "-22"}, "SANDBOX_INVALID_AMOUNT"),
        ({"Sku": "none", "Quantity": "1"}, "SANDBOX_SKU_NOT_FOUND"),
        ({"Sku": "12345", "Amount": "1", "Sku2": "none", "Quantity2": "1"}, "SANDBOX_SKU_NOT_FOUND"),
    ],
)
def test_invalid(desk: Client, values: dict[str, str], code: str) -> None:
    """A value that the account or the action does not know fails the whole write."""
    action_id = desk.world.create(Amount="21.99")
    before = desk.action(action_id)
    row = desk.complete(desk.put(**{"ActionId": action_id, **UPDATE, **values}))
    assert (row["ErrorType"], row["ErrorReason"]) == ("Validation", code)
    assert desk.action(action_id) == before
    assert desk.items(action_id)[0]["SaleAmount"] == "21.99"


def test_invalid_disposition_code(desk: Client) -> None:
    """A reversal needs a code from its own list, which lacks some reasons of an update."""
    action_id = desk.world.create()
    for code in ("BECAUSE", "ORDER_UPDATE", "PARTNER_NOT_ACTIVE"):
        queued = desk.delete(ActionId=action_id, DispositionCode=code)
        assert desk.errors(queued) == "SANDBOX_INVALID_DISPOSITION_CODE"
    assert desk.action(action_id)["State"] == "PENDING"


def test_unknown_action(desk: Client) -> None:
    """The submission reports an action that does not exist, along with everything else that is wrong."""
    row = desk.complete(desk.put(ActionId="1000.4636.1", Reason="BECAUSE", Amount="x"))
    assert (row["ErrorType"], row["ErrorReason"]) == (
        "Validation",
        "SANDBOX_INVALID_REASON MALFORMED ACTION_REF_NOT_FOUND",
    )
    for form in ({"ActionId": "?"}, {"ActionTrackerId": "2240", "OrderId": "?"}):
        assert desk.errors(desk.delete(**form, DispositionCode="OTHER")) == "ACTION_REF_NOT_FOUND"


@pytest.mark.parametrize(
    "lock",
    [
        lambda world, key: world.approve(key),
        lambda world, key: world.modify(key, LockingDate="2026-01-15T03:59:59-08:00", State="PENDING"),
        lambda world, key: world.modify(key, LockingDate="2026-01-15T03:59:59-08:00", State="REVERSED"),
    ],
)
def test_locked(fresh: Client, lock: Callable[[World, str], None]) -> None:
    """An action that is approved or past its LockingDate takes no change, not even RESET."""
    action_id = fresh.world.create()
    lock(fresh.world, action_id)
    before = fresh.action(action_id)
    writes = [fresh.put(ActionId=action_id, Reason="RESET"), fresh.delete(ActionId=action_id, DispositionCode="OTHER")]
    for queued in writes:
        row = fresh.complete(queued)
        assert row["ErrorType"] == "Sandbox Error"
        assert "SANDBOX_ACTION_LOCKED" in row["ErrorReason"].split()
    assert fresh.action(action_id) == before


def test_locks_while_queued(ask: Ask) -> None:
    """The moment of processing counts: an action that locks before it is not changed."""
    client = ask(World(days=1, per_day=0, rules=Rules(submission_seconds=60)))
    early, late = (client.world.create(LockingDate=f"2026-01-15T04:0{minute}:00-08:00") for minute in (3, 2))
    queued = [client.put(ActionId=key, Amount="1", **UPDATE) for key in (early, late)]
    client.world.advance(days=1)
    assert [client.errors(each) for each in queued] == ["", "SANDBOX_ACTION_LOCKED"]


def test_open_ended(fresh: Client) -> None:
    """An action without a LockingDate accepts changes at any time."""
    action_id = fresh.world.create(LockingDate="")
    fresh.world.advance(days=400)
    assert not fresh.errors(fresh.put(ActionId=action_id, Amount="1", **UPDATE))


def test_most_modifications(ask: Ask) -> None:
    """An action takes 1,000 modifications, or as many as ruled; failed ones and those of others do not count."""
    assert Rules().most_modifications == 1000
    client = ask(World(days=1, per_day=0, rules=Rules(most_modifications=3)))
    action_id, other = client.world.create(), client.world.create()
    assert client.errors(client.put(ActionId=action_id, Amount="x", **UPDATE)) == "MALFORMED"
    assert not client.errors(client.put(ActionId=other, Amount="1", **UPDATE))
    assert not client.errors(client.put(ActionId=action_id, Amount="1", **UPDATE))
    assert not client.errors(client.delete(ActionId=action_id, DispositionCode="OTHER"))
    assert not client.errors(client.put(ActionId=action_id, Reason="RESET"))
    row = client.complete(client.put(ActionId=action_id, Amount="2", **UPDATE))
    assert (row["ErrorType"], row["ErrorReason"]) == ("Sandbox Error", "SANDBOX_MODIFICATION_LIMIT_REACHED")


def test_outlives_rules(ask: Ask) -> None:
    """The effect of a write holds when a rule regenerates the lives of actions; modifications are counted again."""
    client = ask(World(days=20, per_day=10, rules=Rules(submission_seconds=0, most_modifications=2)))
    row = client.locking(State="PENDING")[0]
    queued = client.put(ActionId=row["Id"], Amount="5", **UPDATE)
    assert client.action(row["Id"])["Amount"] == "5.00"
    client.world.advance(days=1)
    client.world.rules = Rules(submission_seconds=0, most_modifications=2, clearing_touches=True)
    assert client.action(row["Id"])["Amount"] == "5.00"
    assert not client.errors(queued)
    assert not client.errors(client.put(ActionId=row["Id"], Amount="6", **UPDATE))
    assert client.errors(client.put(ActionId=row["Id"], Amount="7", **UPDATE)) == "SANDBOX_MODIFICATION_LIMIT_REACHED"


def test_real_time(ask: Ask) -> None:
    """A ticking clock completes submissions as time passes."""
    client = ask(World(days=1, per_day=0, rules=Rules(submission_seconds=1, submission_polls=0)))
    action_id = client.world.create()
    client.world.tick()
    client.put(ActionId=action_id, Amount="1", **UPDATE)
    assert wait_for(lambda: client.action(action_id)["Amount"] == "1.00")

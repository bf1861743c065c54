"""Changes as they are sent, and what their answers mean: by plain calls, and once over the socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_sandbox import Reply, Rules
from impact_source.api.changes import ItemChange, Request, Reversal, Target, Update, format_number
from impact_source.api.client import Client
from impact_source.api.submissions import read_queued, read_submission
from impact_source.api.wire import Patience
from impact_source.api.writer import Writer
from impact_source.errors import (
    CredentialsError,
    ImpactError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ScopeError,
)

from tests.support.account import Account

ACTION = Target("A1")
REVERSAL = Request.of(Reversal(ACTION, "OTHER"))
ERRORS = [
    kind
    for kind in vars(httpx).values()
    if isinstance(kind, type) and issubclass(kind, httpx.HTTPError) and kind is not httpx.HTTPStatusError
]
NOT_SENT = {httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout}
Make = Callable[..., Account]


def test_an_update_is_the_form_of_the_reference() -> None:
    """Values of the action have no number, those of items do; an identifier by order has both its parts."""
    update = Update(Target(action_tracker_id="2240", order_id="9/1"), "OTHER", Decimal("15.00"), "NEW")
    assert update.form() == {
        "ActionTrackerId": "2240",
        "OrderId": "9/1",
        "Reason": "OTHER",
        "Amount": "15",
        "CustomerStatus": "NEW",
    }
    items = (ItemChange("A", 2, "Shoes"), ItemChange("B", amount=Decimal(0)), ItemChange("C", delta=Decimal("-2.50")))
    assert Update(ACTION, "OTHER", items=items, disposition_code="ORDER_UPDATE").form() == {
        "ActionId": "A1",
        "Reason": "OTHER",
        "DispositionCode": "ORDER_UPDATE",
        "Sku": "A",
        "Quantity": "2",
        "Category": "Shoes",
        "Sku2": "B",
        "Amount2": "0",
        "Sku3": "C",
        "ItemSubTotalDelta3": "-2.5",
    }
    assert Reversal(ACTION, "CONS_FRAUD").form() == {"ActionId": "A1", "DispositionCode": "CONS_FRAUD"}


@pytest.mark.parametrize(
    "made",
    [
        Target,
        lambda: Target(order_id="9"),
        lambda: ItemChange("A", amount=Decimal(1), delta=Decimal(1)),
        lambda: Update(ACTION, "OTHER", amount=Decimal(1), items=(ItemChange("A", 1),)),
    ],
)
def test_a_change_that_could_mean_two_things_is_none(made: Callable[[], object]) -> None:
    """A change that names no action, sets and adds at once, or has an ambiguous amount cannot be created."""
    with pytest.raises(ValueError, match=r"change|amount"):
        made()


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12))
def test_numbers_are_written_plainly(number: Decimal) -> None:
    """Any amount is written without exponent and comes back as itself."""
    assert Decimal(format_number(number)) == number
    assert set(format_number(number)) <= set("-0123456789.")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", CredentialsError),
        (403, b"", ScopeError),
        (404, b"", NotFound),
        (429, b"", RateLimited),
        (400, b'{"Status":"ERROR","Message":"no"}', RequestRefused),
        (400, b'{"Message":"no","Errors":[{"Field":"Reason","Message":"?"}]}', RequestRefused),
        (415, b"", RequestRefused),
        (422, b"<html>", RequestRefused),
        *((code, b"", OutcomeUnknown) for code in (301, 303, 307, 408, 425, 500, 502, 503, 504, 599)),
        *((200, body, OutcomeUnknown) for body in (b"", b"null", b"[]", b"<html>", b"{}", b'{"QueuedUri":""}')),
        *((200, body, OutcomeUnknown) for body in (b'{"QueuedUri":5}', b'{"Status":"QUEUED","QueuedU')),
        *(
            (200, json.dumps({"QueuedUri": uri}).encode(), OutcomeUnknown)
            for uri in ("/", "/IR/APISubmissions/", "//[")
        ),
    ],
)
def test_what_an_answer_says_of_a_change(status: int, body: bytes, error: type[ImpactError]) -> None:
    """A refusal is known to have had no effect; anything that could have had one is unknown."""
    with pytest.raises(error) as raised:
        read_queued(status, {}, body)
    assert type(raised.value) is error


@pytest.mark.parametrize("end", ["", "/", ".json", ".json/", "?x=1", ".json?x=/y", "/?x#y"])
def test_a_queued_change_names_its_submission(end: str) -> None:
    """The last part of the link's path is the batch id, however the link ends and whichever success status it has."""
    for link in ("/Advertisers/IR/APISubmissions/A-46", "https://api.impact.com/Advertisers/IR/APISubmissions/A%2D46"):
        body = json.dumps({"Status": "QUEUED", "QueuedUri": link + end}).encode()
        assert [read_queued(status, {}, body).batch_id for status in (200, 201, 202)] == ["A-46"] * 3


@pytest.mark.parametrize(
    ("fields", "complete", "errors"),
    [
        ({"Status": "Queued"}, False, ()),
        ({"Status": "In Progress", "ErrorReason": None}, False, ()),
        ({"Status": "Complete", "ErrorType": "", "ErrorReason": "", "AccountId": 5}, True, ()),
        ({"Status": "COMPLETE", "ErrorType": "Validation", "ErrorReason": "MALFORMED X"}, True, ("MALFORMED", "X")),
        ({"Status": "Complete", "ErrorType": "Contract Error"}, True, ("Contract Error",)),
        ({"Status": "Complete", "ErrorType": "NONE", "ErrorReason": "NONE"}, True, ()),
        ({"Status": "Complete", "ErrorType": " None ", "ErrorReason": " "}, True, ()),
        ({"Status": "Complete", "ErrorType": None, "ErrorReason": "null"}, True, ()),
        ({"Status": "Complete", "ErrorType": "NONE", "ErrorReason": "MALFORMED"}, True, ("MALFORMED",)),
    ],
)
def test_a_submission_tells_where_it_stands(fields: dict[str, Any], complete: bool, errors: tuple[str, ...]) -> None:  # noqa: FBT001
    """Its codes are separated; an error without a code is still one."""
    told = read_submission("A-1", 200, {}, json.dumps({"BatchId": "A-1"} | fields).encode())
    assert (told.complete, told.errors) == (complete, errors)


def test_changes_leave_from_python_alone(account: Make) -> None:
    """A change is one request, is queued, and its submission can be followed; nothing else is needed."""
    one = account(days=1, per_day=0)
    action = one.world.create(Amount="20.00")
    with Client(one.settings()) as client, Writer(client) as writer:
        queued = writer.send(Request.of(Update(Target(action), "OTHER", amount=Decimal(5)))).value
        while not (told := client.submission(queued.batch_id).value).complete:
            pass
        assert dict(parse_qsl(told.payload)) == {"ActionId": action, "Reason": "OTHER", "Amount": "5"}
        assert told.errors == ()
        with pytest.raises(NotFound):
            client.submission("A-0")
        assert [s.value.total for s in client.submissions()] == [1]
    assert len(one.sandbox.writes) == 1


def test_a_change_is_never_sent_twice(account: Make) -> None:
    """Whatever goes wrong once a change has left, the one attempt is the last, and the error says so."""
    one = account(days=1, per_day=0)
    action = one.world.create()
    with Client(one.settings()) as client, Writer(client, patience=Patience(read=0.2)) as writer:
        for reply in (Reply(503), Reply(cut_after=0, after=True), Reply(200, b"{}"), Reply(302)):
            one.sandbox.on_request = lambda _, reply=reply: reply
            before = len(one.sandbox.writes)
            with pytest.raises(OutcomeUnknown):
                writer.send(Request.of(Reversal(Target(action), "OTHER")))
            assert len(one.sandbox.writes) == before + 1


def test_what_stops_a_change_before_it_leaves_is_told_apart(account: Make) -> None:
    """Without a connection nothing left; `before` may also stop it."""
    one = account(days=1, per_day=0)
    asked = []

    def stop() -> None:
        asked.append(1)
        raise NotFound

    with Client(one.settings()) as client, Writer(client) as writer, pytest.raises(NotFound):
        writer.send(REVERSAL, before=stop)
    with (
        Client(one.settings(base_url="http://127.0.0.1:9")) as client,
        Writer(client) as writer,
        pytest.raises(NotSent, match="no answer from"),
    ):
        writer.send(REVERSAL, before=lambda: asked.append(2))
    assert asked == [1, 2]
    assert one.sandbox.writes == []


@pytest.mark.parametrize("kind", [*ERRORS, ValueError, OSError], ids=lambda kind: kind.__name__)
def test_only_a_connection_that_was_never_made_means_that_nothing_left(
    account: Make, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """Three errors say that no byte was sent; after any other a change counts as possibly sent."""
    one, went_wrong = account(days=1, per_day=0), "it went wrong"

    def fail(*_: object) -> httpx.Response:
        raise kind(went_wrong)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", fail)
    with Client(one.settings()) as client, Writer(client) as writer, pytest.raises(Exception, match="went") as raised:
        writer.send(REVERSAL)
    assert type(raised.value) is (NotSent if kind in NOT_SENT else OutcomeUnknown)


def test_a_connection_that_cannot_be_encrypted_carries_no_change(account: Make) -> None:
    """If the other side speaks no TLS, the change did not leave."""
    one = account(days=1, per_day=0)
    url = one.sandbox.url.replace("http:", "https:")
    with Client(one.settings(base_url=url)) as client, Writer(client) as writer, pytest.raises(NotSent):
        writer.send(REVERSAL)
    assert one.sandbox.writes == []


def test_two_changes_never_share_a_connection(account: Make) -> None:
    """A kept connection may be dead, and a change could be lost with it: each change has its own."""
    one = account(days=1, per_day=0)
    peers = []
    one.sandbox.on_request = lambda request: peers.append(request.peer)
    with Client(one.settings()) as client, Writer(client) as writer:
        for _ in range(3):
            writer.send(REVERSAL)
    assert len(set(peers)) == 3


@pytest.mark.parametrize("key", ["APISubmission", "APISubmissions"])
def test_the_list_of_submissions_is_read_by_either_key(account: Make, key: Any) -> None:  # noqa: ANN401 - a rule
    """The published key and the one named like the path both give the same list."""
    one = account(days=1, per_day=0, rules=Rules(submissions_key=key))
    with Client(one.settings()) as client, Writer(client) as writer:
        writer.send(REVERSAL)
        assert [page.value.total for page in client.submissions()] == [1]

"""Answers that are lost, requests that are refused: what is known of them, and that nothing is sent twice."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from impact_sandbox import Reply, Request
from impact_source.errors import BudgetSpent, ConfigurationError, CredentialsError, ScopeError, Unavailable
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply import resolve
from impact_sync.corrections.journal.columns import Status
from impact_sync.corrections.status import status

from tests.support.desk import Desk

Make = Callable[..., Desk]
WRITES = ("PUT", "DELETE")
LOST = [
    Reply(cut_after=0, after=True),
    Reply(cut_after=20, after=True),
    Reply(502, b"bad gateway", after=True),
    Reply(200, b"null", after=True),
    Reply(200, b"<html>", after=True),
    Reply(200, b'{"Status":"QUEUED"}', after=True),
    Reply(302, b"", {"Location": "/elsewhere"}, after=True),
]


def answer_writes(one: Desk, reply: Reply | None) -> None:
    """Have every change answered like this; None for the API's own answer again."""
    one.sandbox.on_request = (lambda request: reply if request.method in WRITES else None) if reply else None


@contextmanager
def one_connection(url: str) -> Iterator[str]:
    """A path to a server that takes one connection; further ones are refused."""
    there, here = urlsplit(url), socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65_536):
            sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def forward() -> None:
        client, _ = here.accept()
        here.close()
        with client, socket.create_connection((there.hostname, there.port)) as server:
            back = threading.Thread(target=pump, args=(server, client))
            back.start()
            pump(client, server)
            back.join()

    thread = threading.Thread(target=forward)
    thread.start()
    yield f"http://127.0.0.1:{here.getsockname()[1]}"
    thread.join()


def test_absolute_changes_whose_answers_are_lost_are_found(desk: Make) -> None:
    """A lost answer is no reason to send again: the list of submissions is searched, and the action shows the rest."""
    one = desk()
    lost = {one.create(): reply for reply in LOST}
    answered = [one.create() for _ in LOST]
    one.sync()
    lines = ("{},update,OTHER,TEE,4,,,,,,", "{},reverse,OTHER,,,,,,,,")
    # Between two lost answers comes one that arrives: three in a row would end the apply.
    pairs = zip(lost, answered, strict=True)
    plan_id = one.planned(*(lines[n % 2].format(a) for n, pair in enumerate(pairs) for a in pair))
    one.sandbox.on_request = lambda request: lost.get(request.form.get("ActionId", ""))
    assert one.apply(plan_id).exit is Exit.DONE, one.journal()
    assert set(one.statuses()) == {"confirmed"}
    assert len(one.journal(where="searched_at is not null")) == len(LOST), "whoever reads the journal sees how"
    assert len(one.writes) == 2 * len(LOST)
    one.account.assert_true()


def test_a_change_that_the_action_shows_needs_no_list(desk: Make) -> None:
    """If the action shows what was requested, the lost answer is not missed."""
    one = desk(submission_seconds=0)
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    answer_writes(one, Reply(502, after=True))
    assert one.apply(plan_id).exit is Exit.DONE
    assert one.journal() == [("confirmed", "the answer was lost; the action shows what was requested")]
    assert not any(request.path.endswith("/APISubmissions") for request in one.sandbox.requests)


def test_a_change_that_never_arrived_waits_for_a_person(desk: Make) -> None:
    """Without an answer, an effect or a submission nothing is known: nothing is sent again until a person decides."""
    one = desk()
    action, other = one.create(), one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,", f"{other},update,OTHER,,13,,,,,,")
    answer_writes(one, Reply(503))
    assert one.apply(plan_id).exit is Exit.DRIFT
    answer_writes(one, None)
    assert [row[1].endswith("the list of submissions has nothing like it") for row in one.journal()] == [True, True]
    for _ in range(2):
        assert one.apply(plan_id).exit is Exit.DRIFT
    assert len(one.writes) == 2
    assert sum(request.path.endswith("/APISubmissions") for request in one.sandbox.requests) == 1, "searched once"
    assert [waiting.shows for waiting in resolve.look(one.settings(), plan_id)] == [
        "amount is 30 instead of 12",
        "amount is 30 instead of 13",
    ]
    assert one.problems(f"{action},update,OTHER,,12,,,,,,") == {
        2: f"an earlier correction of it is not settled: plan {plan_id}"
    }
    resolve.settle(one.settings(), plan_id, [3], Status.REFUSED, "asked the API's support")
    resolve.settle(one.settings(), plan_id, [2], Status.PLANNED, "")
    assert one.journal("status, settled_by")[1] == ("refused", "Finance")
    assert one.journal()[1][1].endswith("must not be sent again (asked the API's support)")
    with pytest.raises(ConfigurationError, match=r"line 3 .* does not wait"):
        resolve.settle(one.settings(), plan_id, [3], Status.CONFIRMED, "")
    assert one.apply(plan_id).exit is Exit.DRIFT, "line 3 was refused"
    assert one.statuses() == ["confirmed", "refused"]
    assert [request.form["Amount"] for request in one.writes] == ["12", "13", "12"]


@pytest.mark.parametrize("whose", ["another hand's", pytest.param("our own", marks=pytest.mark.long)])
def test_an_equal_earlier_submission_is_not_taken_for_a_lost_one(desk: Make, whose: str) -> None:
    """Submissions from before a call left, or of another call, say nothing about the lost one."""
    one = desk()
    action = one.create()
    one.sync()
    line = f"{action},update,OTHER,,12,,,,,,"
    if whose == "our own":
        assert one.apply(one.planned(line)).exit is Exit.DONE
    else:
        form = {"ActionId": action, "Reason": "OTHER", "Amount": "12"}
        url = f"{one.sandbox.url}/Advertisers/{one.sandbox.account_sid}/Actions"
        credentials = (one.sandbox.account_sid, one.sandbox.auth_token)
        httpx.put(url, data=form, auth=credentials, headers={"IR-Version": "14"}).raise_for_status()
        one.world.advance(seconds=360)
    one.world.modify(action, Amount="30.00", Payout="2.50")
    one.sync()
    plan_id = one.planned(line)
    answer_writes(one, Reply(503))
    assert one.apply(plan_id).exit is Exit.DRIFT
    ((end, why),) = one.journal(where=f"plan_id = '{plan_id}'")
    assert (end, why.partition("; ")[2]) == ("unknown", "the list of submissions has nothing like it")
    assert len(one.world.submissions) == 1


def test_of_two_submissions_that_may_be_the_lost_one_neither_is_taken(desk: Make) -> None:
    """If others requested the same then, the list does not tell whose is whose: a person sees both and decides."""
    one = desk()
    action = one.create()
    one.sync()
    form = {"ActionId": action, "Reason": "OTHER", "Amount": "12"}
    url = f"{one.sandbox.url}/Advertisers/{one.sandbox.account_sid}/Actions"
    credentials = (one.sandbox.account_sid, one.sandbox.auth_token)
    for _ in range(2):
        httpx.put(url, data=form, auth=credentials, headers={"IR-Version": "14"}).raise_for_status()
    one.world.advance(seconds=60)
    one.world.modify(action, Amount="30.00", Payout="2.50")
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    answer_writes(one, Reply(503))
    assert one.apply(plan_id).exit is Exit.DRIFT
    ((end, why),) = one.journal()
    assert end == "unknown"
    both = why.partition("; the list of submissions has ")[2].split(", ")
    assert sorted(both) == sorted(f"{submission.batch_id} (Complete)" for submission in one.world.submissions)


def test_a_lost_call_of_two_lines_is_known_as_a_whole(desk: Make) -> None:
    """If an action shows one line of a lost call and not the other, both wait: somebody else may have caused it."""
    one = desk()
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,TEE,4,,,,,,", f"{action},update,OTHER,A/B 1,,,1,,,,")
    answer_writes(one, Reply(503))
    one.apply(plan_id)
    one.world.set_item(action, "TEE", SaleAmount="4.00")
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.statuses() == ["unknown", "unknown"]
    one.world.advance(seconds=60)
    one.sync()
    assert one.statuses() == ["unknown", "unknown"]
    (waiting,) = resolve.look(one.settings(), plan_id)
    assert waiting.shows == "quantity of A/B 1 is 2 instead of 1"


@pytest.mark.parametrize("took_effect", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_relative_change_whose_answer_is_lost_waits_for_a_person(desk: Make, *, took_effect: bool) -> None:
    """A relative amount cannot be proven by the action: a person decides, with what is known."""
    one = desk(submission_seconds=0)
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,TEE,,-4,,,,,")
    answer_writes(one, Reply(504, after=took_effect))
    for _ in range(3):
        assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.statuses() == ["unknown"]
    assert len(one.writes) == 1
    said = "(Complete)" if took_effect else "nothing like it"
    assert one.journal()[0][1].endswith(said)
    answer_writes(one, None)
    (waiting,) = resolve.look(one.settings(), plan_id)
    assert waiting.shows == (None if took_effect else "amount of TEE is 10 instead of 6")
    verdict = Status.CONFIRMED if took_effect else Status.PLANNED
    resolve.settle(one.settings(), plan_id, [], verdict, "")
    assert one.apply(plan_id).exit is Exit.DONE
    assert one.shown(action)["Amount"] == "26.00"
    assert len(one.writes) == (1 if took_effect else 2)


@pytest.mark.parametrize(
    ("code", "error", "end"),
    [
        (403, ScopeError, Exit.USAGE),
        pytest.param(429, BudgetSpent, Exit.EARLY, marks=pytest.mark.long),
        pytest.param(401, CredentialsError, Exit.USAGE, marks=pytest.mark.long),
    ],
)
def test_a_request_that_is_turned_away_is_known_not_to_count(
    desk: Make, code: int, error: type[Exception], end: Exit
) -> None:
    """Credentials, scope or the hourly limit: no effect, and nothing more is sent; a person may have it sent again."""
    one = desk()
    first, second = one.create(), one.create()
    one.sync()
    plan_id = one.planned(f"{first},update,OTHER,,12,,,,,,", f"{second},update,OTHER,,13,,,,,,")
    answer_writes(one, Reply(code))
    applied = one.apply(plan_id)
    assert isinstance(applied.error, error)
    assert applied.exit is end
    assert one.statuses() == ["returned", "planned"]
    answer_writes(one, None)
    one.sandbox.budget.spent = 0
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.statuses() == ["returned", "confirmed"]
    resolve.settle(one.settings(), plan_id, [2], Status.PLANNED, "")
    assert one.apply(plan_id).exit is Exit.DONE
    assert [request.form["Amount"] for request in one.writes] == ["12", "13", "12"]


def test_a_request_that_is_refused_is_settled(desk: Make) -> None:
    """A refusal is an outcome, with the API's words; the other corrections continue."""
    one = desk()
    bad = {one.create(): code for code in (400, 404, 405, 409, 415, 422)}
    good = one.create()
    one.sync()
    plan_id = one.planned(*(f"{action},update,OTHER,,12,,,,,," for action in (*bad, good)))

    def refuse(request: Request) -> Reply | None:
        body = b'{"Status":"ERROR","Message":"no such luck"}'
        code = bad.get(request.form.get("ActionId", ""))
        return Reply(code, body) if code else None

    one.sandbox.on_request = refuse
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.statuses() == ["refused"] * len(bad) + ["confirmed"]
    assert all("no such luck" in outcome for _, outcome in one.journal()[:-1])
    assert one.journal("settled_at is not null") == [(True,)] * (len(bad) + 1)
    assert len(one.writes) == len(bad) + 1


def test_after_some_lost_answers_in_a_row_nothing_more_is_sent(desk: Make) -> None:
    """A service without valid answers gets three calls and no more."""
    one = desk()
    actions = [one.create() for _ in range(6)]
    one.sync()
    plan_id = one.planned(*(f"{action},update,OTHER,,12,,,,,," for action in actions))
    answer_writes(one, Reply(500))
    applied = one.apply(plan_id)
    assert isinstance(applied.error, Unavailable)
    assert applied.exit is Exit.FAILED
    assert one.statuses() == ["unknown"] * 3 + ["planned"] * 3
    assert len(one.writes) == 3


def test_an_apply_that_fails_is_in_the_ledger(desk: Make) -> None:
    """Whatever stopped an apply, sync_runs has a row that names it, with the exit code."""
    one = desk()
    actions = [one.create() for _ in range(4)]
    one.sync()
    plan_id = one.planned(*(f"{action},update,OTHER,,12,,,,,," for action in actions))
    ledger = "select outcome, exit_code, requests > 0, finished >= started from impact.sync_runs where exit_code > 0"
    one.world.rules = replace(one.world.rules, broken=(actions[0],))
    assert one.apply(plan_id).exit is Exit.FAILED
    assert one.account.query(ledger) == [("corrections: Unavailable", 4, True, True)]
    one.world.rules = replace(one.world.rules, broken=())
    assert one.apply(plan_id).exit is Exit.DONE
    assert len(one.account.query(ledger)) == 1
    one.sync()
    plan_id = one.planned(*(f"{action},update,OTHER,,11,,,,,," for action in actions))
    answer_writes(one, Reply(503))
    assert isinstance(one.apply(plan_id).error, Unavailable), "three calls in a row had no answer"
    assert one.account.query(ledger) == [("corrections: Unavailable", 4, True, True)] * 2
    answer_writes(one, Reply(403))
    assert isinstance(one.apply(plan_id).error, ScopeError)
    assert one.account.query(f"{ledger} and exit_code = 2") == [("corrections: ScopeError", 2, True, True)]


def test_where_no_connection_is_made_nothing_left(desk: Make, right: Callable[[Desk], None]) -> None:
    """A call without a connection stays planned, and the next apply sends it."""
    one = desk()
    right(one)
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    with one_connection(one.sandbox.url) as url:
        applied = one.apply(plan_id, base_url=url)
    assert applied.exit is Exit.FAILED
    assert one.statuses() == ["planned"]
    assert one.writes == []
    assert status(plan_id).exit is Exit.EARLY
    assert one.apply(plan_id).exit is Exit.DONE
    assert len(one.writes) == 1


@pytest.mark.long
def test_the_api_tells_why_a_correction_failed(desk: Make) -> None:
    """Each code of a failed submission is reported: in words if it is published, else as it is."""
    one = desk(most_modifications=1)
    world = one.world
    locked, reversed_, removed, often, item, vip = (one.create() for _ in range(6))
    for action in (often,):
        one.sync()
        assert one.apply(one.planned(f"{action},update,OTHER,,29,,,,,,")).exit is Exit.DONE
    one.sync()
    plan_id = one.planned(
        f"{locked},update,OTHER,,12,,,,,,",
        f"{reversed_},update,OTHER,,12,,,,,,",
        f"{removed},reverse,OTHER,,,,,,,,",
        f"{often},update,OTHER,,12,,,,,,",
        f"{item},update,OTHER,TEE,4,,,,,,",
        f"{vip},update,OTHER,,,,,,VIP,,",
    )
    changes = {
        locked: lambda: world.approve(locked),
        reversed_: lambda: world.reverse(reversed_),
        removed: lambda: world.remove(removed),
        item: lambda: world.remove_item(item, "TEE"),
    }

    def meanwhile(request: Request) -> None:
        """Change the action between the last look at it and the processing of the call."""
        if request.method in WRITES and (change := changes.pop(request.form["ActionId"], None)):
            change()

    one.sandbox.on_request = meanwhile
    assert one.apply(plan_id).exit is Exit.DRIFT
    outcomes = [outcome for _, outcome in one.journal(where=f"plan_id = '{plan_id}'")]
    assert outcomes == [
        "Sandbox Error SANDBOX_ACTION_LOCKED",
        "Sandbox Error SANDBOX_ACTION_REVERSED",
        "the API does not find the action (Validation ACTION_REF_NOT_FOUND)",
        "Sandbox Error SANDBOX_MODIFICATION_LIMIT_REACHED",
        "Validation SANDBOX_SKU_NOT_FOUND",
        "Validation SANDBOX_INVALID_CUSTOMER_STATUS",
    ]


def test_a_published_code_has_words(desk: Make) -> None:
    """The outcome has the meaning of the API's published codes, together with the codes."""
    one = desk()
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")

    def refuse(request: Request) -> Reply | None:
        if "/APISubmissions/" not in request.path:
            return None
        told = {"BatchId": request.path.rpartition("/")[2], "Status": "Complete"}
        told |= {"ErrorType": "Contract Error", "ErrorReason": "CONTRACT_NOT_FOUND RESTRICTED_PROMOCODE"}
        return Reply(200, json.dumps(told).encode())

    one.sandbox.on_request = refuse
    assert one.apply(plan_id).exit is Exit.DRIFT
    ((end, why),) = one.journal()
    assert end == "refused"
    assert why.startswith("the partner had no contract at that time; the promo code belongs to another partner (")
    assert why.endswith("(Contract Error CONTRACT_NOT_FOUND RESTRICTED_PROMOCODE)")


@pytest.mark.parametrize(
    "rules",
    [
        {"no_error": "null", "queued_uri": ".json"},
        {"no_error": "None", "queued_uri": "?format=json", "submissions_key": "APISubmissions"},
        pytest.param({"no_error": "NONE", "queued_uri": "/"}, marks=pytest.mark.long),
    ],
    ids=str,
)
def test_a_lost_and_an_answered_change_settle_however_the_api_writes_it(desk: Make, rules: dict[str, Any]) -> None:
    """Links and lists in other forms, and words for no error, lead to the same result."""
    one = desk(**rules)
    lost, answered = one.create(), one.create()
    one.sync()
    plan_id = one.planned(*(f"{action},update,OTHER,TEE,4,,,,,," for action in (lost, answered)))
    cut = Reply(cut_after=0, after=True)
    one.sandbox.on_request = lambda request: cut if request.form.get("ActionId") == lost else None
    assert one.apply(plan_id).exit is Exit.DONE, one.journal()
    assert one.statuses() == ["confirmed", "confirmed"]

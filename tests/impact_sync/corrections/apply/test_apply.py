"""A plan that is applied: what is sent, what the journal says of it, and what the warehouse holds afterwards."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from impact_sandbox import Reply, Request
from impact_source.errors import ConfigurationError, ForeignWarehouse, ScopeError
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply import resolve
from impact_sync.corrections.apply.sending import CallProgress, Sender
from impact_sync.corrections.desk import opened
from impact_sync.corrections.journal.calls import Call
from impact_sync.corrections.journal.columns import COLUMNS, Status
from impact_sync.corrections.journal.file import Disagreement
from impact_sync.corrections.journal.table import Journal, Taken
from impact_sync.corrections.status import status
from impact_sync.verify.run import verify
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import Account
from tests.support.desk import Desk

Make = Callable[..., Desk]


def test_a_plan_is_sent_once_and_its_effect_is_in_the_warehouse(desk: Make) -> None:
    """Updates, items, relative changes and reversals take effect, each by one call, and the warehouse shows them."""
    one = desk()
    total, items, refund, fraud, known = (one.create() for _ in range(5))
    one.sync()
    plan_id = one.planned(
        f"{total},update,ORDER_UPDATE,,15.00,,,,,USD,price match",
        f"{items},update,ITEM_RETURNED,A/B 1,,,1,,,,one came back",
        f"{items},update,ITEM_RETURNED,TEE,4.00,,,Shirts,,,",
        f"{refund},update,ORDER_UPDATE,TEE,,-2.50,,,,,",
        f"{fraud},reverse,CONS_FRAUD,,,,,,,,charged back",
        f"{known},update,ORDER_UPDATE,,,,,,EXISTING,,",
    )
    assert one.writes == []
    applied = one.apply(plan_id)
    assert applied.error is None
    assert applied.exit is Exit.DONE, one.journal()
    assert one.statuses() == ["confirmed"] * 6
    assert [request.method for request in one.writes] == ["PUT", "PUT", "PUT", "DELETE", "PUT"]
    assert one.writes[1].form == {
        "ActionId": items,
        "Reason": "ITEM_RETURNED",
        "Sku": "A/B 1",
        "Quantity": "1",
        "Sku2": "TEE",
        "Category2": "Shirts",
        "Amount2": "4",
    }
    assert [one.shown(a)["Amount"] for a in (total, items, refund)] == ["15.00", "14.00", "27.50"]
    assert one.shown(fraud)["State"] == "REVERSED"
    one.account.assert_true()
    one.account.assert_items_true()


def test_reset_restores_what_was_reversed(desk: Make) -> None:
    """RESET brings back a reversed action, and undoes an earlier correction."""
    one = desk()
    reversed_, corrected = one.create(), one.create()
    one.world.reverse(reversed_)
    one.world.modify(corrected, Amount="10.00", Payout="0.80")
    one.sync()
    plan_id = one.planned(f"{reversed_},update,RESET,,,,,,,,", f"{corrected},update,RESET,,,,,,,,")
    assert one.apply(plan_id).exit is Exit.DONE, one.journal()
    assert [one.shown(action)["Amount"] for action in (reversed_, corrected)] == ["30.00", "30.00"]
    one.account.assert_true()


def test_an_amount_of_zero_reverses(desk: Make) -> None:
    """If nothing is left of an order, by its amount or by its items, that is a reversal, and is confirmed as one."""
    one = desk()
    whole, items = one.create(), one.create()
    one.sync()
    plan_id = one.planned(
        f"{whole},update,ORDER_UPDATE,,0,,,,,,",
        f"{items},update,ITEM_RETURNED,A/B 1,,-20,,,,,",
        f"{items},update,ITEM_RETURNED,TEE,,,0,,,,",
    )
    assert one.journal("reverses") == [(True,)] * 3
    assert one.apply(plan_id).exit is Exit.DONE, one.journal()
    assert [one.shown(action)["State"] for action in (whole, items)] == ["REVERSED", "REVERSED"]


def test_what_changed_since_the_plan_is_left_out(desk: Make) -> None:
    """An action that is no longer what the plan saw gets no request, and the journal says what is different."""
    one = desk(approval_delay_days=9)  # one that has locked is not approved yet
    moved, item, approved, gone, late, same, paid = (one.create() for _ in range(7))
    one.world.modify(late, LockingDate=(one.world.now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    one.sync()
    plan_id = one.planned(
        f"{moved},update,OTHER,,12,,,,,,",
        f"{item},update,OTHER,TEE,4,,,,,,",
        f"{approved},reverse,OTHER,,,,,,,,",
        f"{gone},reverse,OTHER,,,,,,,,",
        f"{late},update,OTHER,,12,,,,,,",
        f"{same},update,OTHER,,12,,,,,,",
        f"{paid},reverse,OTHER,,,,,,,,",
    )
    one.world.modify(moved, Amount="29.00")
    one.world.modify(paid, Payout="2.40")
    one.world.set_item(item, "TEE", Category="Shirts")
    one.world.approve(approved)
    one.world.remove(gone)
    one.world.advance(hours=2)
    assert one.apply(plan_id).exit is Exit.EARLY, "one 404 decides nothing"
    one.world.advance(days=1.1)
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.statuses() == ["left out"] * 5 + ["confirmed", "left out"]
    outcomes = [row[1] for row in one.journal()]
    assert outcomes[0].startswith("amount is now 29, was 30 when planned")
    assert "category of TEE is now Shirts, was " in outcomes[1]
    assert outcomes[2] == "its state is now APPROVED, so it can no longer be changed"
    assert outcomes[3] == "the API does not know the action"
    assert outcomes[4].startswith("it locked on 2026-01-15 13:00 UTC")
    assert outcomes[6] == "payout is now 2.4, was 2.5 when planned"
    assert [request.form["ActionId"] for request in one.writes] == [same]


def test_what_comes_out_otherwise_has_diverged(desk: Make) -> None:
    """If the action of a processed call shows something else, each line reports both values."""
    one = desk(amount_beside_sku="order")
    action, other = one.create(), one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,TEE,4,,,,,,", f"{other},reverse,OTHER,,,,,,,,")
    assert one.apply(plan_id).exit is Exit.EARLY, "it may show late"
    assert one.statuses() == ["accepted", "confirmed"]
    one.world.advance(hours=1.1)
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.journal() == [
        ("diverged", "amount of TEE is 1.33 instead of 4"),
        ("confirmed", "the action shows it"),
    ]
    one.account.assert_true()


def test_what_was_shown_is_what_leaves(desk: Make) -> None:
    """The stored request is sent byte for byte; if another release would write it differently, nothing is sent."""
    one = desk()
    first, second = one.create(), one.create(items=[{"Sku": "Ä/1 +&", "SaleAmount": "20.00"}])
    one.sync()
    plan_id = one.planned(f"{first},update,OTHER,,12,,,,,,", f"{second},update,OTHER,Ä/1 +&,5,,,,NEW,,")
    with one.account.changing() as connection:  # as an earlier release may have planned it
        connection.execute("update corrections set request = replace(request, 'Amount=12', 'Amount=12.00')")
    applied = one.apply(plan_id)
    assert applied.exit is Exit.USAGE
    assert "plan the corrections again" in str(applied.error)
    assert "Amount=12.00" in str(applied.error)
    assert one.statuses() == ["planned", "planned"]
    assert one.writes == []
    with one.account.changing() as connection:
        connection.execute("update corrections set request = replace(request, 'Amount=12.00', 'Amount=12')")
    assert one.apply(plan_id).exit is Exit.DONE
    sent = [f"PUT {submission.write.payload}" for submission in one.world.submissions]
    assert [request for (request,) in one.journal("request")] == sent


def test_a_limit_stops_before_it_is_passed(desk: Make) -> None:
    """--limit-amount counts the commission that the plan touches, over all applies of it."""
    one = desk()
    actions = [one.create() for _ in range(3)]
    one.sync()
    plan_id = one.planned(*(f"{action},reverse,OTHER,,,,,,,," for action in actions))
    for _ in range(2):
        applied = one.apply(plan_id, limit_amount=Decimal("5.00"))
        assert applied.exit is Exit.EARLY
        assert applied.note == "line 4 would touch 2.50 USD of commission: 5.00 of at most 5.00 are touched"
        assert one.statuses() == ["confirmed", "confirmed", "planned"]
    assert one.apply(plan_id, limit_amount=Decimal("7.50")).exit is Exit.DONE
    assert len(one.writes) == 3


def test_a_limit_counts_what_may_have_taken_effect(desk: Make) -> None:
    """A call whose answer is lost counts against --limit-amount, in its own apply and in later ones."""
    one = desk()
    actions = [one.create() for _ in range(3)]
    one.sync()
    plan_id = one.planned(*(f"{action},reverse,OTHER,,,,,,,," for action in actions))
    one.sandbox.on_request = lambda request: Reply(503) if request.form.get("ActionId") == actions[0] else None
    for _ in range(2):
        assert one.apply(plan_id, limit_amount=Decimal(5)).exit is Exit.EARLY
        assert one.statuses() == ["unknown", "confirmed", "planned"]
    assert len(one.writes) == 2


@pytest.mark.long
def test_an_hour_that_is_spent_is_gone_on_with_later(desk: Make) -> None:
    """When the hourly limit is reached an apply stops cleanly; the next ones send the rest, each call once."""
    one = desk()
    actions = [one.create() for _ in range(8)]
    one.sync()
    plan_id = one.planned(*(f"{action},update,OTHER,,12,,,,,," for action in actions))
    ends = []
    for _ in range(12):
        one.sandbox.budget.limit, one.sandbox.budget.spent = 12, 0
        ends.append(one.apply(plan_id, max_wait=timedelta(0)).exit)
        if ends[-1] is Exit.DONE:
            break
    assert ends[-1] is Exit.DONE
    assert set(ends[:-1]) == {Exit.EARLY}
    assert len(ends) > 3
    assert [request.form["ActionId"] for request in one.writes] == actions


@pytest.mark.parametrize(("waited", "looks"), [(60.1, 2), pytest.param(60.0, 1, marks=pytest.mark.long)])
def test_a_look_at_an_action_does_not_outlast_the_wait_for_the_hour(desk: Make, waited: float, looks: int) -> None:
    """If more than a minute passes between the look at an action and its call, the action is looked at once more."""
    one = desk()
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    seconds = iter([0.0, waited, waited, waited])  # the look, its call, and the second look with its call
    seen: list[Request] = []

    def change(request: Request) -> None:
        seen.extend([request] if request.path.endswith(action) and request.method == "GET" else [])
        if len(seen) == 2:
            one.world.modify(action, Amount="29.00")

    one.sandbox.on_request = change
    with opened(one.settings()) as journals:
        Sender(journals, 1, lambda _: None, lambda: next(seconds)).send(journals.journal.plan(plan_id), None)
    assert len(seen) == looks
    assert len(one.writes) == (looks == 1)
    ((end, why),) = one.journal()
    stale = ("left out", "amount is now 29, was 30 when planned")
    assert (end, (why or "").split(";")[0]) == (stale if looks == 2 else ("accepted", ""))


def test_what_is_still_being_processed_is_asked_for_later(desk: Make) -> None:
    """A slow submission leaves work for the next apply, which does not send it again."""
    one = desk(submission_polls=0)
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    assert one.apply(plan_id).exit is Exit.EARLY
    assert one.statuses() == ["accepted"]
    one.world.advance(seconds=30)
    assert one.apply(plan_id).exit is Exit.DONE
    assert len(one.writes) == 1


def test_an_apply_tells_how_far_it_is(desk: Make) -> None:
    """Calls that an earlier apply sent count as done; what it settled does not count again."""
    one = desk()
    actions = [one.create() for _ in range(3)]
    one.sync()
    plan_id = one.planned(*(f"{action},reverse,OTHER,,,,,,,," for action in actions))
    assert one.apply(plan_id, limit_amount=Decimal(5)).exit is Exit.EARLY
    told: list[CallProgress] = []
    with opened(one.settings()) as journals:
        sender = Sender(journals, 3, told.append)
        calls = journals.journal.plan(plan_id)
        sender.settle_earlier(calls)
        assert sender.send(calls, None) is None
        sender.settle(plan_id)
        left = journals.client.budget.remaining
    assert [(one.done, one.of, one.settled) for one in told] == [(3, 3, 0), (3, 3, 1)]
    assert all(one.requests_left >= left for one in told)


def test_two_plans_do_not_move_one_amount_twice(desk: Make) -> None:
    """What is planned twice is sent once: until the first is settled the other is left out, and it stays so."""
    one = desk(submission_polls=0)
    action = one.create()
    one.sync()
    line = f"{action},update,OTHER,TEE,,-4,,,,,"
    first, second, third = (one.planned(line) for _ in range(3))
    assert one.apply(first).exit is Exit.EARLY
    assert one.apply(second).exit is Exit.DRIFT
    one.world.advance(seconds=30)
    assert one.apply(first).exit is Exit.DONE
    assert one.apply(third).exit is Exit.DRIFT
    assert len(one.writes) == 1
    assert one.journal() == [
        ("confirmed", "the action shows it"),
        ("left out", f"another correction of the action is not settled: plan {first}"),
        ("left out", one.journal()[2][1]),
    ]
    assert "amount of TEE is now 6, was 10 when planned" in one.journal()[2][1]


def test_a_submission_that_the_api_forgets_is_unknown(desk: Make) -> None:
    """If the API knows nothing of what it queued, the action decides, or a person does."""
    one = desk(submission_seconds=0)
    absolute, relative = one.create(), one.create()
    one.sync()
    plan_id = one.planned(f"{absolute},update,OTHER,,12,,,,,,", f"{relative},update,OTHER,TEE,,-4,,,,,")
    one.sandbox.on_request = lambda request: Reply(404) if "/APISubmissions/" in request.path else None
    assert one.apply(plan_id).exit is Exit.DRIFT
    assert one.statuses() == ["confirmed", "unknown"]
    assert one.journal()[1][1].startswith("the API does not know its submission A-")
    asked = Counter(request.path for request in one.sandbox.requests if "/APISubmissions/" in request.path)
    assert [*asked.values()] == [5, 5]


def test_a_token_that_may_not_see_submissions_is_named(account: Callable[..., Account]) -> None:
    """Without the scope for submissions, what was sent stays accepted until it can be seen."""
    one = Desk(account(days=3, per_day=0, scopes={"Campaigns", "Actions", "Items", "Actions:write"}))
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    applied = one.apply(plan_id)
    assert isinstance(applied.error, ScopeError)
    assert applied.exit is Exit.USAGE
    assert one.statuses() == ["accepted"]


@pytest.mark.parametrize("knows", ["the plan", pytest.param("nothing", marks=pytest.mark.long)])
def test_a_restored_database_does_not_send_again(desk: Make, knows: str) -> None:
    """Restored to an older copy, with the plan or without it, the database takes over what the file beside it knows."""
    one = desk()
    actions = [one.create() for _ in range(2)]
    one.sync()
    copy = one.account.folder / "copy.duckdb"
    lines = [f"{action},update,OTHER,TEE,,-1,,,,," for action in actions]
    shutil.copy(one.account.path, copy)
    plan_id = one.planned(*lines)
    if knows == "the plan":
        shutil.copy(one.account.path, copy)
    assert one.apply(plan_id).exit is Exit.DONE
    shutil.copy(copy, one.account.path)
    with pytest.raises(Disagreement, match="resolve --from-file"):
        one.planned(*lines)
    with pytest.raises(Disagreement, match="Nothing was sent"):
        one.apply(plan_id)
    assert len(one.writes) == 2
    assert "resolve --from-file" in (status().disagreement or "")
    assert resolve.from_file() == 2
    assert status().disagreement is None
    assert one.statuses() == ["confirmed", "confirmed"]
    assert one.apply(plan_id).exit is Exit.DONE
    assert len(one.writes) == 2
    assert one.problems(*lines) == {}, "the sync is older, the API is asked before anything is sent"
    assert one.apply(one.planned(*lines)).exit is Exit.DRIFT
    assert len(one.writes) == 2


def test_without_its_file_nothing_is_sent(desk: Make) -> None:
    """If the file beside the database cannot be written, or read, nothing is sent and the plan stays as it is."""
    one = desk()
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    file = one.account.path.with_name("impact_warehouse.duckdb.corrections.jsonl")
    known = file.read_text()
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigurationError, match="Nothing is sent without it"):
        one.apply(plan_id)
    file.rmdir()
    with pytest.raises(Disagreement, match="is not there"):
        one.apply(plan_id)
    file.write_text("no JSON\n")
    with pytest.raises(Disagreement, match="line 1, cannot be read"):
        one.apply(plan_id)
    file.write_text(known + '{"event": "leaves", "call_id": "cut o')
    assert one.statuses() == ["planned"]
    assert one.apply(plan_id).exit is Exit.DONE
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == [
        *("planned", "leaves", "stands", "stands")
    ]
    assert one.sandbox.account_sid not in file.read_text()


def test_a_database_whose_file_is_gone_waits_for_a_person(desk: Make) -> None:
    """Nothing is planned or sent until the file is back, or written again from the database and as good."""
    one = desk()
    action = one.create()
    one.sync()
    line, copy = f"{action},update,OTHER,TEE,,-1,,,,,", one.account.folder / "copy.duckdb"
    shutil.copy(one.account.path, copy)
    sent = one.planned(line)
    assert one.apply(sent).exit is Exit.DONE
    file = one.account.path.with_name("impact_warehouse.duckdb.corrections.jsonl")
    file.unlink()
    one.account.sync()
    for work in (lambda: one.planned(line), lambda: one.apply(sent), resolve.from_file):
        with pytest.raises(Disagreement, match=r"is not there: .* run `impact corrections resolve --to-file`"):
            work()
    assert not file.exists()
    file.write_text('{"event": "planned", "plan_id": "of another database"}\n')
    with pytest.raises(Disagreement, match=f"does not have plan {sent}"):
        one.planned(line)
    file.unlink()
    assert resolve.to_file() == file
    assert status().disagreement is None
    one.sync()
    assert one.apply(one.planned(line)).exit is Exit.DONE
    assert len(one.writes) == 1  # those of the first plan were forgotten by the sync
    shutil.copy(copy, one.account.path)
    with pytest.raises(Disagreement, match="2 calls as sent that the table does not have"):
        one.planned(line)
    assert resolve.from_file() == 2
    assert one.statuses() == ["confirmed", "confirmed"]


def test_of_two_who_claim_a_call_one_gets_it(desk: Make) -> None:
    """Claims are transactions: however many try at the same instant, only one may send."""
    one = desk()
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,A/B 1,4,,,,,,", f"{action},update,OTHER,TEE,4,,,,,,")
    with open_pipeline() as pipeline:
        (call,) = Journal(pipeline).plan(plan_id)
        journals, start = [Journal(pipeline) for _ in range(4)], threading.Barrier(4)

        def claim(number: int) -> bool:
            start.wait()
            try:
                journals[number].claim(call, f"claim {number}", one.world.now)
            except Taken:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(claim, range(4)))
        assert sum(won) == 1
        (after,) = Journal(pipeline).plan(plan_id)
    assert {row.claim for row in after.rows} == {f"claim {won.index(True)}"}


def test_whoever_looks_for_rivals_has_claimed_its_call(desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two applies that change one action at the same instant, at least one sees the other; neither sends twice."""
    one = desk()
    action = one.create()
    one.sync()
    line = f"{action},update,OTHER,TEE,,-4,,,,,"
    first, second = one.planned(line), one.planned(line)
    rival, standing = Journal.rival, []

    def look(journal: Journal, call: Call) -> str | None:
        standing.append((journal.plan(first)[0].status, bool(journal.plan(first)[0].first.claim)))
        other = journal.plan(second)[0]
        if other.status == Status.PLANNED:  # the other apply comes in between
            journal.claim(other, "another apply", one.world.now)
            assert rival(journal, other) == first
        return rival(journal, call)

    monkeypatch.setattr(Journal, "rival", look)
    assert one.apply(first).exit is Exit.DRIFT
    assert standing == [("sending", True)]
    assert one.writes == []
    assert one.statuses() == ["left out", "sending"]


def test_a_warehouse_of_another_account_is_not_corrected(desk: Make) -> None:
    """A plan made for one account is never sent to another."""
    one, other = desk(), desk()
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,,12,,,,,,")
    with pytest.raises(ForeignWarehouse):
        one.apply(plan_id, account_sid="IRanotherAccount00000000000000000001", base_url=other.sandbox.url)
    with pytest.raises(ForeignWarehouse):
        one.plan(f"{action},reverse,OTHER,,,,,,,,", account_sid="IRanotherAccount00000000000000000001")
    assert one.writes == other.writes == []


def test_syncs_leave_the_journal_alone(desk: Make) -> None:
    """A sync, a drain and a verification after corrections go well, find no drift, and touch no line of the journal."""
    one = desk()
    action, other = one.create(), one.create()
    one.sync()
    one.apply(one.planned(f"{action},update,OTHER,TEE,4,,,,,,", f"{other},reverse,OTHER,,,,,,,,"))
    before = one.journal("*")
    one.sync()
    assert verify(one.settings()).exit is Exit.DONE
    assert one.journal("*") == before
    one.account.assert_true()
    one.account.assert_items_true()


def test_what_a_correction_changed_is_in_the_history(desk: Make) -> None:
    """The action and its items before and after are versions, as if a sync had seen them."""
    one = desk()
    action = one.create()
    one.sync()
    one.apply(one.planned(f"{action},update,OTHER,TEE,4,,,,,,"))
    assert one.account.query("select amount, valid_to is null from impact.action_history order by valid_from") == [
        (30, False),
        (24, True),
    ]
    items = "select sale_amount from impact.action_item_history where sku = 'TEE' order by valid_from"
    assert one.account.query(items) == [(10,), (4,)]


def test_an_auditor_needs_no_help(desk: Make) -> None:
    """The journal says who, when, what and why, what was sent and what was answered; each column has a description."""
    one = desk()
    action = one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,ORDER_UPDATE,TEE,,-2.50,,,,usd,one seam was open")
    one.apply(plan_id)
    (row,) = one.journal("actor, note, source, line, request, status, http_status, answer, old_amount, delta, currency")
    sent = f"PUT ActionId={action}&Reason=ORDER_UPDATE&Sku=TEE&ItemSubTotalDelta=-2.5"
    assert row[:8] == ("Finance", "one seam was open", "asked.csv", 2, sent, "confirmed", 200, "queued")
    assert row[8:] == (10, Decimal("-2.5"), "USD")
    ((times,),) = one.account.query(
        "select planned_at < claimed_at and claimed_at <= answered_at and answered_at <= processed_at "
        "and processed_at <= settled_at from impact.corrections"
    )
    assert times
    described = one.account.query(
        "select column_name, comment from duckdb_columns() where table_name = 'corrections' and schema_name = 'impact'"
    )
    assert dict(described) == {column.name: column.description for column in COLUMNS}


@pytest.mark.parametrize(
    "rules", [{"wire": "typed", "single_as_object": True}, pytest.param({"items_key": "Items"}, marks=pytest.mark.long)]
)
def test_corrections_are_settled_however_the_api_tells(desk: Make, rules: dict[str, Any]) -> None:
    """Numbers as numbers, nulls and bare objects make no difference."""
    one = desk(**rules)
    action, other = one.create(), one.create()
    one.sync()
    plan_id = one.planned(f"{action},update,OTHER,TEE,4,,,,,,", f"{other},reverse,OTHER,,,,,,,,")
    assert one.apply(plan_id).exit is Exit.DONE, one.journal()

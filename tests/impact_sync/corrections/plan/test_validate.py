"""What may be sent and what may not, and how a plan reports the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from impact_sandbox import Rules
from impact_source.api.changes import DISPOSITION_CODES, REASONS
from impact_sync.console.exits import Exit
from impact_sync.corrections.plan.run import Source, plan

from tests.support.account import Account
from tests.support.desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def one(desk: Make) -> Desk:
    """An account with one synced action, `A1`, of 30.00 USD with two items."""
    made = desk()
    made.create(Id="A1", Oid="order-1", CustomerStatus="NEW")
    made.sync()
    return made


WRONG = (
    ("{},,OTHER,,5,,,,,,", "kind is empty"),
    ("{},delete,OTHER,,5,,,,,,", "kind is delete: update or reverse"),
    (",update,OTHER,,5,,,,,,", "it does not name an action"),
    ("A2,update,OTHER,,5,,,,,,", "the warehouse has no such action"),
    ("{},update,,,5,,,,,,", "reason is empty"),
    ("{},update,BECAUSE,,5,,,,,,", "BECAUSE is not a reason code: ORDER_UPDATE, ITEM_RETURNED, CONS_FRAUD"),
    ("{},update,REJECTED,,5,,,,,,", "REJECTED is not a reason code"),
    ("{},reverse,ORDER_UPDATE,,,,,,,,", "ORDER_UPDATE is not a disposition code: REJECTED"),
    ("{},reverse,RESET,,,,,,,,", "RESET is not a disposition code"),
    ("{},update,OTHER,,,,,,,,", "nothing is asked for"),
    ("{},update,OTHER,TEE,,,,,,,", "nothing is asked for the item"),
    ("{},update,OTHER,,,-5,,,,,", "delta, quantity and category are of an item: its sku is missing"),
    ("{},update,OTHER,,,,2,,,,", "delta, quantity and category are of an item: its sku is missing"),
    ("{},update,OTHER,,,,,Shoes,,,", "delta, quantity and category are of an item: its sku is missing"),
    ("{},reverse,OTHER,,0,,,,,,", "a reversal takes no values"),
    ("{},reverse,OTHER,TEE,,,,,,,", "a reversal takes no values"),
    ("{},update,RESET,,5,,,,,,", "RESET takes no values"),
    ("{},update,RESET,,,,,,,,", "it was never changed: nothing to undo"),
    ("{},update,OTHER,TEE,5,-5,,,,,", "give either amount or delta, not both"),
    ("{},update,OTHER,NOPE,5,,,,,,", "the action has no item NOPE"),
    ("{},update,OTHER,,-1,,,,,,", "amount is -1: an amount cannot be below 0"),
    ("{},update,OTHER,TEE,,-10.01,,,,,", "delta takes the item below 0: it has 10"),
    ("{},update,OTHER,,a lot,,,,,,", "amount is not a number: a lot"),
    ("{},update,OTHER,,1e3,,,,,,", "amount is not a number: 1e3"),
    ("{},update,OTHER,,12 EUR,,,,,,", "amount is not a number: 12 EUR"),
    ("{},update,OTHER,,NaN,,,,,,", "amount is not a number: NaN"),
    ('{},update,OTHER,,"1,234",,,,,,', "amount may be thousands or decimals: 1,234"),
    ("{},update,OTHER,,1.234,,,,,,", "amount may be thousands or decimals: 1.234"),
    ("{},update,OTHER,,1.23456,,,,,,", "amount has more than four decimals"),
    ("{},update,OTHER,TEE,,0.00001,,,,,", "delta has more than four decimals"),
    ("{},update,OTHER,TEE,,minus 5,,,,,", "delta is not a number: minus 5"),
    ("{},update,OTHER,TEE,,,1.5,,,,", "quantity is not a whole number: 1.5"),
    ("{},update,OTHER,TEE,,,-1,,,,", "quantity is not a whole number: -1"),
    ("{},update,OTHER,TEE,,,,LONG,,,", "category has 256 characters: at most 255"),
    ("{},update,OTHER,,5,,,,,EUR,", "the currency is EUR, the action has USD"),
    ("{},update,OTHER,,30,,,,,,", "it would change nothing"),
    ('{},update,OTHER,,"30,00",,,,NEW,usd,', "it would change nothing"),
    ("{},update,OTHER,TEE,10.00,,1,,,,", "it would change nothing"),
    ("{},update,OTHER,TEE,,0,,,,,", "it would change nothing"),
)


def test_what_cannot_be_sent_says_why(desk: Make) -> None:
    """A line that the API would refuse, or that would do nothing or something other than intended, stops the plan."""
    one = desk()
    actions = [one.create(CustomerStatus="NEW") for _ in WRONG]
    one.sync()
    lines = [line.format(action).replace("LONG", "x" * 256) for action, (line, _) in zip(actions, WRONG, strict=True)]
    found = one.plan(*lines)
    assert (found.id, found.rows) == (None, [])
    said = dict(zip([line for line, _ in WRONG], [invalid.problem for invalid in found.invalid], strict=True))
    assert {line: said[line] for line, problem in WRONG if not said[line].startswith(problem)} == {}


NUMBERS = {
    "12.5": "12.5",
    '"12,5"': "12.5",
    "+7": "7",
    "0": "0",
    "0.0000": "0",
    "1.2345": "1.2345",
    '"1.234,50"': "1234.50",
    '"1,234.50"': "1234.50",
    '"1.234.567,8"': "1234567.8",
    "5.00000000": "5",
}


def test_numbers_with_points_and_commas(desk: Make) -> None:
    """Decimal commas, points and thousands are read as the author meant them."""
    one = desk()
    actions = [one.create() for _ in NUMBERS]
    one.sync()
    found = one.plan(*(f"{action},update,OTHER,,{text},,,,,," for action, text in zip(actions, NUMBERS, strict=True)))
    assert [row.new_amount for row in found.rows] == [Decimal(amount) for amount in NUMBERS.values()]


@pytest.mark.long
def test_every_code_may_be_sent(desk: Make) -> None:
    """Every documented reason and disposition code takes effect, and so do those that the account has configured."""
    one = desk(custom_codes=("LOST_PARCEL",))
    reasons, codes = (*REASONS, "LOST_PARCEL"), (*DISPOSITION_CODES, "LOST_PARCEL")
    asked = [f"{one.create()},update,{reason},,5,,,,,," for reason in reasons]
    asked += [f"{one.create()},reverse,{code},,,,,,,," for code in codes]
    one.sync()
    plan_id = one.planned(*asked, custom_codes=("LOST_PARCEL",))
    assert one.apply(plan_id).exit is Exit.DONE, one.journal(where="status <> 'confirmed'")
    assert [request.form.get("Reason") for request in one.writes if request.method == "PUT"] == [*reasons]
    assert [r.form["DispositionCode"] for r in one.writes if r.method == "DELETE"] == [*codes]


CLASHING = (
    (("{},update,OTHER,,5,,,,,,", "{},update,OTHER,,6,,,,,,"), ("line 3 ", "line 2 ")),
    (("{},update,OTHER,TEE,5,,,,,,", "{},update,OTHER,TEE,,-1,,,,,"), ("line 5 ", "line 4 ")),
    (("{},update,OTHER,,5,,,,,,", "{},reverse,OTHER,,,,,,,,"), ("line 7 ", "line 6 ")),
    (("{},update,OTHER,TEE,5,,,,,,", "{},reverse,OTHER,,,,,,,,"), ("another line has another kind",) * 2),
    (("{},update,OTHER,TEE,5,,,,,,", "{},update,CONS_ERROR,A/B 1,5,,,,,,"), ("lines of one action leave",) * 2),
    (("{},update,OTHER,,5,,,,,,", "{},update,OTHER,TEE,5,,,,,,"), ("give either the amount of the whole order",) * 2),
    (("{},update,OTHER,TEE,5,,,,OLD,,", "{},update,OTHER,A/B 1,5,,,,VIP,,"), ("another line has another cust",) * 2),
    (("{},update,OTHER,TEE,x,,,,,,", "{},update,OTHER,A/B 1,5,,,,,,"), ("amount is not a number", "another line of")),
)


def test_lines_of_one_action_must_fit_together(desk: Make) -> None:
    """Duplicates and contradictions stop all lines of their action: a correction is sent completely or not at all."""
    one = desk()
    actions = [one.create() for _ in CLASHING]
    one.sync()
    lines = [line.format(a) for a, (pair, _) in zip(actions, CLASHING, strict=True) for line in pair]
    said = [invalid.problem for invalid in one.plan(*lines).invalid]
    expected = [problem for _, problems in CLASHING for problem in problems]
    assert [each[: len(start)] for each, start in zip(said, expected, strict=True)] == expected


def test_an_order_names_its_action(desk: Make) -> None:
    """The event type and the order id identify an action if it is the only one, and must match an id given as well."""
    one = desk()
    first, second, third, twice = (one.create(Oid=order) for order in ("7/1", "7/2", "7/3", "8"))
    one.create(Oid="8")
    one.sync()
    header = "action_id,action_tracker_id,order_id,kind,reason"
    lines = (",2240,7/1", ",2240,8", ",2240,9", f"{second},,7/2", f"{third},,7/2", ",,7/1", f"{twice},2241,8")
    path = one.file("\n".join([header, *(f"{line},reverse,OTHER" for line in lines)]))
    found = plan(one.settings(), Source(path), skip_invalid=True)
    assert {row.line: row.action_id for row in found.rows} == {2: first, 5: second}
    problems = {invalid.line: invalid.problem for invalid in found.invalid}
    assert problems[3] == "2 actions have this order: give the action_id"
    assert problems[4].startswith("the warehouse has no such action")
    assert "different actions" in problems[6]
    assert problems[7].startswith("it does not name an action")
    assert "different actions" in problems[8]


def test_only_open_actions_take_corrections(desk: Make) -> None:
    """What is approved, locked, paid or reversed takes no change, and the message has the instant; RESET restores."""
    one = desk()
    approved, reversed_, locked, old, endless, strange = (one.create() for _ in range(6))
    lock = one.world.now + timedelta(hours=2)
    one.world.modify(locked, LockingDate=lock.strftime("%Y-%m-%dT%H:%M:%SZ"))
    one.world.modify(old, State="APPROVED", LockingDate="2026-01-01T00:00:00Z", ClearedDate="2026-01-10T00:00:00Z")
    one.world.modify(endless, LockingDate="")
    one.world.modify(strange, State="PAID")
    one.world.approve(approved)
    one.world.reverse(reversed_)
    one.sync()
    one.world.advance(hours=3)
    lines = [f"{action},reverse,OTHER,,,,,,,," for action in (approved, reversed_, locked, old, strange)]
    found = one.problems(*lines, f"{reversed_},update,OTHER,,5,,,,,,", f"{endless},reverse,OTHER,,,,,,,,")
    assert found == {
        2: "its state is APPROVED, so it can no longer be changed",
        3: "it is reversed already: it would change nothing; another line has another kind for this action",
        4: f"it locked on {lock:%Y-%m-%d %H:%M} UTC",
        5: "it was paid on 2026-01-10",
        6: "its state is PAID, so it can no longer be changed",
        7: "it is reversed: only RESET restores it; another line has another kind for this action",
    } | {line: found[line] for line in (3, 7)}
    assert found[3].startswith("it is reversed already")
    assert found[7].startswith("it is reversed: only RESET restores it")
    assert one.plan(f"{reversed_},update,RESET,,,,,,,,").id
    assert one.plan(f"{endless},reverse,OTHER,,,,,,,,").id


def test_an_action_is_modified_only_so_often(desk: Make) -> None:
    """The API takes 1,000 modifications of an action: sent corrections count, refused ones do not."""
    one = desk()
    often, refused = one.create(), one.create()
    one.sync()
    plan_id = one.planned(f"{often},update,OTHER,,12,,,,,,", f"{refused},update,OTHER,,,,,,VIP,,")
    assert one.apply(plan_id).exit is Exit.DRIFT
    with one.account.changing() as connection:  # as if each had been sent a thousand times
        connection.execute(
            "insert into corrections select corrections.* replace (correction_id || '-' || n as correction_id, "
            "call_id || '-' || n as call_id) from corrections, range(999) again(n)"
        )
    assert one.problems(f"{often},update,OTHER,,13,,,,,,", f"{refused},update,OTHER,,13,,,,,,") == {
        2: "it was modified 1000 times by corrections: it takes at most 1000"
    }


def test_items_that_are_not_known_are_not_corrected(account: Callable[..., Account]) -> None:
    """Items that were never read are read if the hourly limit allows; a Sku that occurs twice cannot be corrected."""
    one = Desk(account(days=3, per_day=0, rules=Rules()))
    twice = one.create(items=[{"Sku": "A", "SaleAmount": "5.00"}, {"Sku": "A", "SaleAmount": "6.00"}])
    other = one.create()
    one.account.sync()
    lines = (f"{twice},update,OTHER,A,1,,,,,,", f"{other},update,OTHER,TEE,1,,,,,,")
    one.sandbox.budget.limit, one.sandbox.budget.spent = 3, 0
    never = "its items were never read: run `impact items` first"
    assert one.problems(*lines) == {2: never, 3: never}
    one.sandbox.budget.limit, one.sandbox.budget.spent = 100_000, 0
    assert one.problems(*lines) == {2: "the action lists the sku 2 times: it is unclear which is meant"}
    assert sorted(one.account.item_requests()) == sorted([twice, other])
    one.account.drain()
    assert one.account.item_requests() == []
    one.account.assert_items_true()


def test_skipping_invalid_lines_plans_the_others(one: Desk) -> None:
    """With --skip-invalid the lines that can be sent become a plan, without the others."""
    found = one.plan("A1,update,OTHER,TEE,5,,,,,,", "A2,update,OTHER,,5,,,,,,", skip_invalid=True)
    assert [row.line for row in found.rows] == [2]
    assert [invalid.line for invalid in found.invalid] == [3]
    assert one.journal("plan_id, line, status") == [(found.id, 2, "planned")]


def test_a_plan_tells_the_money_that_it_moves(one: Desk) -> None:
    """Old and new values and the commission at the action's own rate are in the plan, as far as they are known."""
    first, second = one.plan("A1,update,OTHER,TEE,4,,,,,,", "A1,update,OTHER,A/B 1,,,1,,,,").rows
    assert (first.old_amount, first.new_amount, first.commission_moved) == (Decimal(10), Decimal(4), Decimal("-0.3"))
    assert (second.old_quantity, second.new_quantity, second.commission_moved) == (2, 1, Decimal(-1))
    assert second.commission_touched == 2, "whether a quantity takes the amount along is not known"
    both = one.plan("A1,update,OTHER,,15,,,,EXISTING,,").rows[0]
    assert both.commission_moved == Decimal("-1.25")
    assert both.commission_touched == Decimal("2.5"), "another customer status may have another rate"
    reversal = one.plan("A1,reverse,OTHER,,,,,,,,").rows[0]
    assert (reversal.commission_moved, reversal.reverses) == (Decimal("-2.5"), True)
    nothing_left = one.plan("A1,update,OTHER,TEE,,-10,,,,,", "A1,update,OTHER,A/B 1,,,0,,,,").rows
    assert [(row.reverses, row.relative) for row in nothing_left] == [(True, True)] * 2

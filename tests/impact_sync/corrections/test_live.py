"""What an action's current state says of a call: whether it may be sent, and whether it took effect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_sync.corrections.journal.calls import Call
from impact_sync.corrections.journal.columns import NAMES, Correction
from impact_sync.corrections.live import Live, by_sku, changed_since, not_as_asked, shows, tells

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTION = {
    "state": "PENDING",
    "amount": Decimal(30),
    "payout": Decimal("2.50"),
    "intended_amount": Decimal(30),
    "customer_status": "NEW",
    "locking_date": NOW + timedelta(seconds=1),
    "cleared_date": None,
}
TEE = {"sku": "TEE", "sale_amount": Decimal(10), "quantity": 2, "category": "Balls"}
CENTS = st.decimals(-1000, 1000, places=2)


def row(**columns: Any) -> Correction:  # noqa: ANN401 - any column
    """A line that requests nothing for the action."""
    blank: dict[str, Any] = dict.fromkeys(NAMES)
    usual = {
        "kind": "update",
        "reason": "OTHER",
        "action_id": "A1",
        "action_state": "PENDING",
        "action_amount": Decimal(30),
        "action_payout": Decimal("2.50"),
        "old_amount": Decimal(30),
        "old_customer_status": "NEW",
        "reverses": False,
    }
    return Correction(**(blank | usual | columns))


def of_item(**columns: Any) -> Correction:  # noqa: ANN401 - any column
    """A line that requests nothing for one of its items."""
    item = {"sku": "TEE", "old_amount": Decimal(10), "old_quantity": 2, "old_category": "Balls"}
    return row(**(item | columns))


def live(item: dict[str, Any] | None = None, **columns: Any) -> Live:  # noqa: ANN401 - any column
    """The action with its item, these values changed."""
    return Live(ACTION | columns, {"TEE": TEE | (item or {})})


def wrong(asked: Correction, now: Live) -> str | None:
    """How the action differs from what a line requested."""
    return not_as_asked(Call((asked,)), asked, now)


def test_an_action_as_the_plan_saw_it_may_be_changed() -> None:
    """An unchanged action takes the change, until the instant at which it locks."""
    for asked in (row(), row(new_customer_status="VIP"), of_item()):
        assert changed_since(Call((asked,)), live(), NOW) is None
    assert changed_since(Call((of_item(sku=""),)), Live(ACTION, {"": TEE}), NOW) is None
    assert changed_since(Call((row(),)), live(locking_date=None), NOW) is None
    assert changed_since(Call((row(action_state="REVERSED"),)), live(state="REVERSED"), NOW) is None
    assert changed_since(Call((row(action_state=None),)), live(state=None), NOW) is None


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"state": "APPROVED"}, "its state is now APPROVED, so it can no longer be changed"),
        ({"cleared_date": NOW}, "its state is now PENDING, so it can no longer be changed"),
        ({"locking_date": NOW}, "it locked on 2026-03-01 12:00 UTC"),
        ({"state": "REVERSED"}, "state is now REVERSED, was PENDING when planned"),
        ({"state": None}, "state is now empty, was PENDING when planned"),
        ({"amount": Decimal("29.90")}, "amount is now 29.9, was 30 when planned"),
        ({"payout": None}, "payout is now empty, was 2.5 when planned"),
        ({"customer_status": "OLD"}, None),
        (
            {"amount": Decimal(1), "payout": Decimal(0)},
            "amount is now 1, was 30 when planned; payout is now 0, was 2.5 when planned",
        ),
    ],
)
def test_an_action_that_changed_since_the_plan_is_left_alone(columns: dict[str, Any], says: str | None) -> None:
    """A correction is agreed to for what the plan saw: for anything else it is not sent, and the reason is given."""
    assert changed_since(Call((row(),)), live(**columns), NOW) == says


def test_a_customer_status_counts_where_it_is_changed() -> None:
    """Another customer status stops a correction of it, also if one line of several requests that."""
    call = Call((row(), row(new_customer_status="VIP")))
    assert changed_since(call, live(customer_status="OLD"), NOW) == "customer_status is now OLD, was NEW when planned"


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"sale_amount": Decimal(9)}, "amount of TEE is now 9, was 10 when planned"),
        ({"quantity": 1}, "quantity of TEE is now 1, was 2 when planned"),
        ({"category": None}, "category of TEE is now empty, was Balls when planned"),
    ],
)
def test_an_item_that_changed_since_the_plan_is_left_alone(item: dict[str, Any], says: str) -> None:
    """The item's own values are compared, not only the action's."""
    assert changed_since(Call((of_item(),)), live(item), NOW) == says


def test_an_item_that_is_gone_is_left_alone() -> None:
    """It is reported, and so is what became of the others."""
    call = Call((of_item(sku="BALL"), of_item()))
    says = "item BALL is gone; quantity of TEE is now 1, was 2 when planned"
    assert changed_since(call, live({"quantity": 1}), NOW) == says
    assert changed_since(call, Live(ACTION), NOW) == "item BALL is gone; item TEE is gone"


@pytest.mark.parametrize(
    ("asked", "now", "says"),
    [
        (row(new_amount=Decimal(12)), live(amount=Decimal("12.005")), None),
        (row(new_amount=Decimal(12)), live(amount=Decimal("12.006")), "amount is 12.006 instead of 12"),
        (row(new_amount=Decimal(12)), live(amount=None), "amount is empty instead of 12"),
        (row(new_amount=Decimal(12)), live(amount=Decimal(12), state="REVERSED"), "its state is REVERSED"),
        (row(reverses=True, new_amount=Decimal(0)), live(state="REVERSED", amount=Decimal(30)), None),
        (row(reverses=True), live(), "its state is PENDING, not REVERSED"),
        (row(new_customer_status="VIP"), live(), "customer_status is NEW instead of VIP"),
        (row(new_customer_status="NEW"), live(), None),
        (
            row(new_amount=Decimal(1), new_customer_status="VIP"),
            live(),
            "amount is 30 instead of 1; customer_status is NEW instead of VIP",
        ),
        (row(reason="RESET"), live(amount=Decimal(5)), "amount is 5 instead of 30"),
        (row(reason="RESET"), live(), None),
        (of_item(new_amount=Decimal(4)), live({"sale_amount": Decimal("4.00")}), None),
        (of_item(new_amount=Decimal(4)), live(amount=Decimal(4)), "amount of TEE is 10 instead of 4"),
        (
            of_item(new_amount=Decimal(4), new_customer_status="VIP"),
            live({"sale_amount": Decimal(4)}),
            "customer_status is NEW instead of VIP",
        ),
        (of_item(new_quantity=1), live(), "quantity of TEE is 2 instead of 1"),
        (of_item(new_quantity=2), live(), None),
        (of_item(new_quantity=0), live({"quantity": 0, "sale_amount": Decimal(0)}), None),
        (of_item(new_quantity=0), live({"quantity": 0}), "amount of TEE is 10 instead of 0"),
        (of_item(new_quantity=0), Live(ACTION, {}), None),
        (of_item(new_quantity=1), Live(ACTION, {}), "item TEE is gone"),
        (of_item(new_category="Shoes"), live(), "category of TEE is Balls instead of Shoes"),
        (of_item(new_category="Balls"), live(), None),
        (of_item(new_category="Balls"), Live(ACTION), "item TEE is gone"),
        (
            of_item(new_amount=Decimal(1), new_quantity=1, new_category="X"),
            live(),
            (
                "amount of TEE is 10 instead of 1; quantity of TEE is 2 instead of 1; "
                "category of TEE is Balls instead of X"
            ),
        ),
    ],
)
def test_an_action_shows_what_was_asked_or_what_instead(asked: Correction, now: Live, says: str | None) -> None:
    """What a correction requested is compared to the cent, and each different value is reported."""
    assert wrong(asked, now) == says


def test_a_call_took_effect_where_all_of_its_lines_show() -> None:
    """A line that does not show, or an action that was not found, proves nothing."""
    call = Call((row(new_amount=Decimal(30)), of_item(new_quantity=1)))
    assert shows(call, live({"quantity": 1}))
    assert not shows(call, live())
    assert not shows(call, live({"quantity": 1}, amount=Decimal(29)))
    assert not shows(call, None)


@pytest.mark.parametrize(
    ("asked", "telling"),
    [
        (row(), False),
        (row(new_amount=Decimal(12)), True),
        (row(new_amount=Decimal("30.005")), False),
        (row(new_amount=Decimal(12), old_amount=None), True),
        (of_item(new_quantity=2), False),
        (of_item(new_quantity=1), True),
        (of_item(new_category="Balls"), False),
        (of_item(new_category="Shoes"), True),
        (row(new_customer_status="NEW"), False),
        (row(new_customer_status="VIP"), True),
        (row(reverses=True), True),
        (row(reverses=True, action_state="REVERSED"), False),
        (row(reason="RESET", action_state="REVERSED"), True),
    ],
)
def test_what_the_plan_saw_is_no_proof(asked: Correction, telling: bool) -> None:  # noqa: FBT001 - the expected value
    """If an action already showed what is requested, nobody can tell whether the call arrived."""
    assert tells(Call((asked,))) is telling
    assert not tells(Call((asked, row())))


@given(CENTS, CENTS)
def test_an_action_tells_of_a_change_of_a_cent_and_more(before: Decimal, asked: Decimal) -> None:
    """Either the action already showed the amount, or it does not show it until the change took effect."""
    line = row(old_amount=before, new_amount=asked)
    call = Call((line,))
    assert tells(call) is (before != asked)
    assert shows(call, live(amount=before)) is (before == asked)
    assert shows(call, live(amount=asked))


def test_items_are_found_by_their_sku() -> None:
    """Each item of an action under the Sku that a correction names."""
    assert by_sku(pa.Table.from_pylist([TEE, TEE | {"sku": "BALL"}])) == {"TEE": TEE, "BALL": TEE | {"sku": "BALL"}}

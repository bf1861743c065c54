"""Which action an order has: by its id within its event type, exactly, and by no date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from impact_source.errors import ConfigurationError
from impact_sync.reconcile.comparison import Normalised

from tests.support.orders import HEADER, Shop, told

Make = Callable[..., Shop]
_TYPED = f"event_type,{HEADER}"


def test_the_event_type_decides_where_ids_are_the_same(shop: Make) -> None:
    """An id may be used once by each event type, which the orders name by its id or by its name."""
    one = shop()
    sale = one.desk.create(Oid="1", ActionTrackerId="10", ActionTrackerName="Sale")
    lead = one.desk.create(Oid="1", ActionTrackerId="20", ActionTrackerName="Lead")
    one.desk.create(Oid="2", ActionTrackerId="20", ActionTrackerName="Lead")
    one.desk.sync()
    orders = ("Sale,1,returned,,,,", "20,1,placed,29.00,USD,,", "Sale,2,placed,30.00,USD,,true")
    assert told(one.reconcile(*orders, header=_TYPED), "event_type", "action_id") == [
        ("1", "amount", "20", lead),
        ("1", "not_reversed", "Sale", sale),
        ("2", "no_action", "Sale", None),
    ]
    untyped = one.reconcile("1,returned,,,,")
    assert told([line for line in untyped if line["change"] == "new"], "action_id") == [
        ("1", "duplicate", sale),
        ("1", "duplicate", lead),
    ]


@pytest.mark.parametrize(("first", "second"), [("Sale", ""), ("Sale", "10"), ("10", "")])
def test_an_order_under_two_names_of_its_event_type_is_listed_twice(shop: Make, first: str, second: str) -> None:
    """By id and by name, or by a name and none: both rows have the same action, and which of them counts is open."""
    one = shop()
    sale = one.desk.create(Oid="1", ActionTrackerId="10", ActionTrackerName="Sale")
    one.desk.sync()
    orders = (f"{first},1,returned,,,,", f"{second},1,placed,30.00,USD,,")
    lines = one.reconcile(*orders, header=_TYPED)
    assert [(line["kind"], line["action_id"], line["orders"]) for line in lines] == [("duplicate", sale, 2)] * 2
    assert len(one.found.planned) == 0
    assert one.found.head["correctable"] == 1


def test_items_of_an_id_that_two_event_types_have_are_not_compared(shop: Make) -> None:
    """They name no event type, so nobody knows whose they are; the amount of the order decides."""
    one = shop()
    sale = one.desk.create(Oid="1", ActionTrackerId="10", ActionTrackerName="Sale")
    one.desk.create(Oid="1", ActionTrackerId="20", ActionTrackerName="Lead")
    one.desk.sync()
    orders = ("Sale,1,partly_returned,20.00,USD,,", "Lead,1,placed,30.00,USD,,")
    items = ("1,A/B 1,1,10.00", "1,TEE,1,10.00", "1,A/B 1,2,20.00", "1,TEE,1,10.00")
    (line,) = one.reconcile(*orders, header=_TYPED, items=items)
    assert (line["action_id"], line["sku"], line["expected_amount"]) == (sale, None, Decimal(20))
    assert any("ids of 1 partly returned orders are also those" in note for note in one.found.notes)


def test_an_event_type_that_the_account_lacks_is_named(shop: Make) -> None:
    """Orders of an unknown event type have no action, and the user is told why."""
    one = shop()
    one.desk.create(Oid="1", ActionTrackerId="10", ActionTrackerName="Sale")
    one.desk.sync()
    lines = one.reconcile("Sale,1,placed,30.00,USD,,", "Sail,2,placed,30.00,USD,,true", header=_TYPED)
    assert told(lines) == [("2", "no_action")]
    assert any("no event type 'Sail', which 1 orders name" in note for note in one.found.notes)


def test_no_date_decides(shop: Make) -> None:
    """An order that was submitted weeks late has its action all the same."""
    one = shop()
    one.desk.create(Oid="late")
    one.desk.sync()
    ordered = one.desk.world.now - timedelta(days=60)
    assert told(one.reconcile(f"late,returned,,,{ordered:%Y-%m-%d},true")) == [("late", "not_reversed")]


EXACT = {
    "case": ("ab-1", "AB-1"),
    "blanks": (" a 1", "a1"),
    "zeros": ("0017", "17"),
    "prefix=DE-": ("DE-17", "17"),
}


@pytest.mark.parametrize("ignored", EXACT)
def test_ids_are_compared_exactly_unless_asked_otherwise(shop: Make, ignored: str) -> None:
    """Another case, blanks, leading zeros or a prefix make another id; what would match is told, and done if asked."""
    one = shop()
    theirs, ours = EXACT[ignored]
    action = one.desk.create(Oid=ours)
    one.desk.sync()
    order = f"{theirs},returned,,,,true"
    assert told(one.reconcile(order)) == []
    hinted = [note for note in one.found.notes if note.startswith("1 orders without an action would have one")]
    assert hinted == ([] if "=" in ignored else [f"1 orders without an action would have one with --ignore {ignored}"])
    name, _, prefix = ignored.partition("=")
    normalised = Normalised(prefix=prefix) if prefix else Normalised(frozenset([name]))
    lines = one.reconcile(order, normalised=normalised)
    assert told(lines, "action_id") == [(theirs, "not_reversed", action)]


def test_ids_that_become_one_are_shown_as_such(shop: Make) -> None:
    """What is ignored may make two orders one: then none of them is chosen."""
    one = shop()
    one.desk.create(Oid="a1")
    one.desk.sync()
    orders = ("a1,returned,,,,", "A1,placed,30.00,USD,,")
    assert told(one.reconcile(*orders)) == [("a1", "not_reversed")]
    lines = one.reconcile(*orders, normalised=Normalised(frozenset(["case"])))
    assert ("duplicate", 2) in {(line["kind"], line["orders"]) for line in lines}


def test_many_orders_without_any_action_are_a_mistake(shop: Make) -> None:
    """A column that holds other ids ends with an error that shows both sides, not with a long list."""
    one = shop()
    one.desk.create(Oid="9001", ActionTrackerName="Sale")
    one.desk.sync()
    with pytest.raises(
        ConfigurationError, match=r"none of the 20 orders has an action.*Orders: 1, 2, 3\. Actions: 9001"
    ):
        one.reconcile(*(f"{number},placed,1.00,USD,," for number in range(1, 21)))
    with pytest.raises(ConfigurationError, match=r"Unknown event types: 'Sail'; the account has Sale"):
        one.reconcile(*(f"Sail,{number},placed,1.00,USD,," for number in range(1, 21)), header=_TYPED)
    few = [f"{number},placed,1.00,USD,,true" for number in range(1, 20)]
    assert len(one.reconcile(*few)) == 19


def test_actions_without_an_order_id_have_no_order(shop: Make) -> None:
    """They are told of event types that have order ids; of others nobody expects one."""
    one = shop()
    sale = one.desk.create(Oid="1", ActionTrackerId="10", ActionTrackerName="Sale")
    odd = one.desk.create(Oid="", ActionTrackerId="10", ActionTrackerName="Sale")
    one.desk.create(Oid="", ActionTrackerId="20", ActionTrackerName="Click")
    one.desk.sync()
    now = one.desk.world.now
    lines = one.reconcile("1,placed,30.00,USD,,", since=now - timedelta(days=1), until=now)
    assert sale
    assert told(lines, "action_id", "commission") == [(None, "no_order", odd, Decimal("2.5"))]

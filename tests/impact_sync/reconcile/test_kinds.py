"""Each kind of difference, with what it costs and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support.orders import Shop, told

Make = Callable[..., Shop]
_MONEY = {"Amount": "30.00", "Payout": "3.00", "items": ()}


def test_orders_that_agree_are_no_difference(shop: Make) -> None:
    """Placed, corrected and reversed orders that both sides show alike are not listed."""
    one = shop()
    _, cut, back, gone = (one.desk.create(Oid=oid) for oid in ("placed", "cut", "back", "gone"))
    one.desk.world.modify(cut, Amount="20.00", Payout="1.00")
    one.desk.world.reverse(back)
    one.desk.world.reverse(gone)
    one.desk.sync()
    assert (
        one.reconcile(
            "placed,placed,30.00,USD,,true",
            "cut,partly returned,20,usd,,true",
            "back,Returned,0.00,USD,,true",
            "gone,canceled,30.00,USD,,true",
            "organic,placed,99.00,USD,,false",
            "void,cancelled,99.00,USD,,true",
        )
        == []
    )
    assert one.found.head["matched"] == 4


def test_returned_and_cancelled_orders_that_were_not_reversed(shop: Make) -> None:
    """The whole commission is paid too much, and a plan can reverse the action."""
    one = shop()
    for oid in ("back", "void"):
        one.desk.create(Oid=oid)
    one.desk.sync()
    lines = one.reconcile("back,returned,0,USD,,", "void,cancelled,30.00,EUR,,")
    assert told(lines, "commission", "remedy", "standing", "change", "line") == [
        ("back", "not_reversed", Decimal("2.5"), "plan", "open", "new", 2),
        ("void", "not_reversed", Decimal("2.5"), "plan", "open", "new", 3),
    ]
    assert lines[0]["locking_date"] > lines[0]["event_date"]
    assert (lines[0]["action_state"], lines[0]["currency"]) == ("PENDING", "USD")


def test_partly_returned_orders_that_were_not_corrected(shop: Make) -> None:
    """By the amount alone, the difference costs its share of the commission; without an amount nobody knows what."""
    one = shop()
    _, _, known = (one.desk.create(Oid=oid, **_MONEY) for oid in ("cut", "unknown", "known"))
    one.desk.world.modify(known, Amount="20.00", Payout="2.00")
    one.desk.sync()
    lines = one.reconcile("cut,partly_returned,20.00,USD,,", "unknown,partly_returned,,,,", "known,partly_returned,,,,")
    assert told(lines, "expected_amount", "action_amount", "commission", "remedy") == [
        ("cut", "not_corrected", Decimal(20), Decimal(30), Decimal(1), "plan"),
        ("unknown", "not_corrected", None, Decimal(30), None, "by hand"),
    ]


def test_partly_returned_orders_by_item(shop: Make) -> None:
    """Where both sides know the items, each that differs is a line; one that is gone from the shop has none left."""
    one = shop()
    for oid in ("two", "one", "same"):
        one.desk.create(Oid=oid)
    one.desk.sync()
    lines = one.reconcile(
        *(f"{oid},partly_returned,,USD,," for oid in ("two", "one", "same")),
        items=("two,A/B 1,1,10.00", "one,A/B 1,2,20.00", "same,A/B 1,2,20.00", "same,TEE,1,10.0040"),
    )
    assert told(lines, "sku", "order_quantity", "action_quantity", "order_amount", "commission", "remedy") == [
        ("one", "not_corrected", "TEE", 0, 1, Decimal(0), Decimal("0.5"), "plan"),
        ("two", "not_corrected", "A/B 1", 1, 2, Decimal(10), Decimal(1), "plan"),
        ("two", "not_corrected", "TEE", 0, 1, Decimal(0), Decimal("0.5"), "plan"),
    ]


def test_an_item_in_two_rows_is_known_as_far_as_both_tell(shop: Make) -> None:
    """Its values are the sums; what one of the rows leaves empty is not known, so it is not compared."""
    one = shop()
    for oid in ("sums", "half"):
        one.desk.create(Oid=oid)
    one.desk.sync()
    lines = one.reconcile(
        *(f"{oid},partly_returned,,USD,," for oid in ("sums", "half")),
        items=(
            *("sums,A/B 1,1,5.00", "sums,A/B 1,0,5.00", "sums,TEE,1,10.00"),
            *("half,A/B 1,1,10.00", "half,A/B 1,,10.00", "half,TEE,1,10.00"),
        ),
    )
    assert told(lines, "sku", "order_quantity", "order_amount") == [("sums", "not_corrected", "A/B 1", 1, Decimal(10))]


def test_a_difference_of_more_than_a_column_holds(shop: Make) -> None:
    """One absurd amount is told like any other; only what it costs is not known. The others keep theirs."""
    one = shop()
    for oid in ("absurd", "other"):
        one.desk.create(Oid=oid, Amount="1.00", Payout="2.00", items=())
    one.desk.sync()
    lines = one.reconcile("absurd,placed,999999999999,USD,,", "other,placed,0.50,USD,,")
    assert told(lines, "expected_amount", "commission") == [
        ("absurd", "amount", Decimal(999999999999), None),
        ("other", "amount", Decimal("0.5"), Decimal(1)),
    ]


def test_items_that_the_action_does_not_have(shop: Make) -> None:
    """An item that impact.com does not list cannot be corrected: then the order is, by its amount if that is known."""
    one = shop()
    for oid in ("with", "without"):
        one.desk.create(Oid=oid)
    one.desk.sync()
    lines = one.reconcile(
        "with,partly_returned,10.00,USD,,",
        "without,partly_returned,,USD,,",
        items=("with,OTHER,1,10.00", "without,OTHER,1,10.00"),
    )
    assert told(lines, "sku", "expected_amount", "remedy") == [
        ("with", "not_corrected", None, Decimal(10), "plan"),
        ("without", "not_corrected", None, None, "by hand"),
    ]


def test_an_item_without_a_sku_is_not_taken_for_returned(shop: Make) -> None:
    """The shop cannot name it and no correction reaches it: the amount of the order decides."""
    one = shop()
    items = (
        {"Sku": "A", "SaleAmount": "20.00", "Payout": "2.00"},
        {"Sku": "", "SaleAmount": "10.00", "Payout": "0.50"},
    )
    for oid in ("known", "unknown"):
        one.desk.create(Oid=oid, items=items)
    one.desk.sync()
    lines = one.reconcile(
        "known,partly_returned,20.00,USD,,",
        "unknown,partly_returned,,USD,,",
        items=("known,A,1,10.00", "unknown,A,1,10.00"),
    )
    assert told(lines, "sku", "expected_amount", "remedy") == [
        ("known", "not_corrected", None, Decimal(20), "plan"),
        ("unknown", "not_corrected", None, None, "by hand"),
    ]
    assert any("The items of 2 partly returned orders are not known here, or have no Sku" in n for n in one.found.notes)


def test_items_that_were_never_read_are_not_compared(shop: Make) -> None:
    """Without the action's items the order's amount decides, and the user is told how to read them."""
    one = shop()
    one.desk.create(Oid="cut")
    one.desk.account.sync()
    lines = one.reconcile("cut,partly_returned,20.00,USD,,", items=("cut,A/B 1,1,10.00", "cut,TEE,1,10.00"))
    assert told(lines, "sku", "expected_amount") == [("cut", "not_corrected", None, Decimal(20))]
    assert any("`impact items` reads those" in note for note in one.found.notes)


def test_other_amounts(shop: Make) -> None:
    """More and less than the order are both told, with the sign of the money; less than a cent is no difference."""
    one = shop()
    for oid in ("less", "more", "same", "nothing"):
        one.desk.create(Oid=oid, **_MONEY)
    one.desk.sync()
    lines = one.reconcile(
        "less,placed,24.00,USD,,", "more,placed,36.00,USD,,", "same,placed,30.0040,USD,,", "nothing,placed,0,USD,,"
    )
    assert told(lines, "commission", "remedy") == [
        ("less", "amount", Decimal("0.6"), "plan"),
        ("more", "amount", Decimal("-0.6"), "plan"),
        ("nothing", "amount", Decimal(3), "by hand"),  # an amount of 0 would reverse it
    ]


def test_other_currencies(shop: Make) -> None:
    """Amounts in two currencies are not compared, whatever they are."""
    one = shop()
    one.desk.create(Oid="abroad")
    one.desk.sync()
    lines = one.reconcile("abroad,placed,24.00,eur,,")
    assert told(lines, "order_currency", "currency", "commission", "remedy") == [
        ("abroad", "currency", "EUR", "USD", None, "nothing")
    ]


def test_orders_without_an_action(shop: Make) -> None:
    """Only those that should have one are told: by their column, or all if the user says so."""
    one = shop()
    one.desk.create(Oid="there")
    one.desk.sync()
    orders = ("there,placed,30.00,USD,,yes", "lost,placed,24.00,USD,,yes", "organic,placed,24.00,USD,,no")
    assert told(one.reconcile(*orders), "order_amount", "remedy") == [("lost", "no_action", Decimal(24), "nothing")]
    assert told(one.reconcile("there,placed,30.00,USD,,", "lost,placed,24.00,USD,,")) == []
    assert any("--referred" in note for note in one.found.notes)
    asked = one.reconcile("there,placed,30.00,USD,,", "lost,placed,24.00,USD,,", referred=True)
    assert told(asked) == [("lost", "no_action")]


def test_orders_without_amounts_say_so_once(shop: Make) -> None:
    """Without amounts there is nothing to say of their currency; with amounts alone there is."""
    one = shop()
    one.desk.create(Oid="1")
    one.desk.sync()
    for header, said in (("order_id,status", "no amount"), ("order_id,status,amount", "no currency")):
        one.reconcile("1,placed" + ",30.00" * header.count("amount"), header=header)
        notes = [note for note in one.found.notes if "amounts are" in note]
        assert len(notes) == 1, notes
        assert said in notes[0]


def test_actions_without_an_order(shop: Make) -> None:
    """Among the actions of the time that the orders cover, those that no order has; reversed ones cost nothing."""
    one = shop()
    now = one.desk.world.now
    for hours, oid in ((30, "before"), (20, "first"), (15, "lost"), (14, "reversed"), (10, "last"), (1, "after")):
        action = one.desk.create(Oid=oid, EventDate=f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}")
        if oid == "reversed":
            one.desk.world.reverse(action)
    one.desk.sync()
    orders = [
        f"{oid},placed,30.00,USD,{now - timedelta(hours=hours):%Y-%m-%d %H:%M},"
        for hours, oid in ((21, "first"), (10, "last"))
    ]
    assert told(one.reconcile(*orders), "commission", "remedy") == [("lost", "no_order", Decimal("2.5"), "by hand")]
    both = one.reconcile(*orders, since=now - timedelta(hours=40), until=now)
    assert told(both) == [("after", "no_order"), ("before", "no_order"), ("lost", "no_order")]
    assert told(one.reconcile("first,placed,30.00,USD,,")) == []
    assert any("`ordered_at`, or --since and --until" in note for note in one.found.notes)


def test_dates_without_a_time_cover_their_last_day(shop: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action of the last day without an order is told, up to that day's end by the account's clocks."""
    monkeypatch.setenv("SOURCES__IMPACT__TIME_ZONE", "America/New_York")
    one = shop()
    for oid, event in (("1", "01-09T12"), ("2", "01-10T12"), ("lost", "01-11T04"), ("after", "01-11T05")):
        one.desk.create(Oid=oid, EventDate=f"2026-{event}:59:59Z")
    one.desk.account.sync(time_zone="America/New_York")
    assert told(one.reconcile("1,placed,,,2026-01-09,", "2,placed,,,2026-01-10,")) == [("lost", "no_order")]
    timed = one.reconcile("1,placed,,,2026-01-09,", "2,placed,,,2026-01-10 00:00:00,")
    assert [line["change"] for line in timed] == []


def test_orders_that_are_not_all_say_nothing_of_other_actions(shop: Make) -> None:
    """A file of returns alone, or of a part of the orders, does not make every other action a mistake."""
    one = shop()
    now = one.desk.world.now
    for number in range(45):
        one.desk.create(Oid=str(number))
    one.desk.sync()
    bounds = {"since": now - timedelta(days=1), "until": now}
    returns = one.reconcile("1,returned,0,USD,,", "2,cancelled,0,USD,,", **bounds)
    assert told(returns) == [("1", "not_reversed"), ("2", "not_reversed")]
    assert any(note.startswith("43 of 45 actions of the time") for note in one.found.notes)
    few = [f"{number},placed,30.00,USD,," for number in range(3, 25)]
    assert [line for line in one.reconcile(*few, **bounds) if line["kind"] == "no_order"] == []
    most = [*few, "25,placed,30.00,USD,,", "26,placed,30.00,USD,,"]
    assert len([line for line in one.reconcile(*most, **bounds) if line["kind"] == "no_order"]) == 21


def test_several_with_one_id_are_shown_and_none_is_chosen(shop: Make) -> None:
    """Each of several actions is a line, and what is paid beyond one of them is spread over all."""
    one = shop()
    first, second = one.desk.create(Oid="twice", **_MONEY), one.desk.create(Oid="twice", **_MONEY | {"Payout": "1.00"})
    listed, reversed_ = one.desk.create(Oid="listed"), one.desk.create(Oid="mended")
    one.desk.world.reverse(reversed_)
    kept = one.desk.create(Oid="mended")
    one.desk.sync()
    lines = one.reconcile(
        "twice,returned,0,USD,,", "listed,placed,30.00,USD,,", "listed,returned,0,USD,,", "mended,placed,30.00,USD,,"
    )
    assert told(lines, "action_id", "orders", "actions", "commission", "remedy") == [
        ("listed", "duplicate", listed, 2, 1, None, "nothing"),
        ("mended", "duplicate", reversed_, 1, 2, None, "nothing"),
        ("mended", "duplicate", kept, 1, 2, Decimal(0), "nothing"),
        ("twice", "duplicate", first, 1, 2, Decimal(3), "by hand"),
        ("twice", "duplicate", second, 1, 2, Decimal(1), "by hand"),
    ]
    (a, b) = one.reconcile("twice,placed,30.00,USD,,")
    assert a["commission"] + b["commission"] == Decimal(1)


def test_of_several_the_only_one_alive_must_agree(shop: Make) -> None:
    """An action that replaces a reversed one is a person's to correct if its amount or currency is not the order's."""
    one = shop()
    ids = {}
    for oid in ("right", "wrong", "foreign", "unknown"):
        old = one.desk.create(Oid=oid)
        one.desk.world.reverse(old)
        ids[oid] = {old: "old", one.desk.create(Oid=oid): "new"}
    one.desk.sync()
    lines = one.reconcile(
        "right,placed,30.00,USD,,", "wrong,placed,24.00,USD,,", "foreign,placed,30.00,EUR,,", "unknown,placed,,,,"
    )
    found = {(line["order_id"], ids[line["order_id"]][line["action_id"]]): line for line in lines}
    assert {line["kind"] for line in lines} == {"duplicate"}
    assert {key for key, line in found.items() if line["remedy"] == "by hand"} == {("wrong", "new"), ("foreign", "new")}
    assert found["wrong", "new"]["commission"] == Decimal("0.5")
    assert one.found.head["correctable"] == 2


def test_reversed_there_and_alive_here(shop: Make) -> None:
    """A partner who was not paid for an order that stands is owed its commission."""
    one = shop()
    one.desk.world.reverse(one.desk.create(Oid="alive"))
    one.desk.sync()
    assert told(one.reconcile("alive,placed,30.00,USD,,"), "commission", "remedy") == [
        ("alive", "reversed_here", Decimal("-2.5"), "by hand")
    ]


@pytest.mark.parametrize("status", ["", "status,"])
def test_without_a_status_only_amounts_are_compared(shop: Make, status: str) -> None:
    """An order that does not say what became of it is neither returned nor alive."""
    one = shop()
    one.desk.world.reverse(one.desk.create(Oid="reversed"))
    one.desk.create(Oid="other")
    one.desk.sync()
    blank = "," if status else ""
    lines = one.reconcile(f"reversed,{blank}30.00", f"other,{blank}31.00", header=f"order_id,{status}amount")
    assert told(lines) == [("other", "amount")]
    assert any("no status" in note for note in one.found.notes)

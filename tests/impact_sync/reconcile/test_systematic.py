"""What differs in most orders is told once: it is a matter of how they are counted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from impact_sync.console.exits import Exit
from impact_sync.reconcile.command import run

from tests.support.orders import Shop, told

Make = Callable[..., Shop]


def filled(shop: Make, net: str = "100.00") -> Shop:
    """A shop with 30 orders, 0 to 29, whose actions have this amount and a tenth of it as commission."""
    one = shop()
    for number in range(30):
        payout = Decimal(net) / 10
        one.desk.create(Oid=str(number), Amount=net, Payout=f"{payout:.2f}", items=())
    one.desk.sync()
    return one


def test_amounts_that_differ_by_one_ratio_are_told_once(shop: Make) -> None:
    """Orders with tax against actions without are one sentence; one off the ratio is listed, not planned."""
    one = filled(shop)
    orders = [f"{number},placed,119.00,USD,," for number in range(27)]
    lines = one.reconcile(*orders, "27,placed,100.00,USD,,", "28,placed,59.50,USD,,", "29,returned,0,USD,,")
    assert told(lines, "order_amount", "expected_amount", "action_amount", "commission", "remedy") == [
        ("28", "amount", Decimal("59.5"), Decimal(50), Decimal(100), Decimal(5), "by hand"),
        ("29", "not_reversed", Decimal(0), None, Decimal(100), Decimal(10), "plan"),
    ]
    (note,) = (note for note in one.found.notes if note.startswith("In "))
    assert note.startswith("In 27 of 29 orders the action's amount is 0.840336 times the order's (USD)")
    assert len(one.found.planned) == 1


def test_partly_returned_orders_are_compared_in_the_ratio(shop: Make) -> None:
    """An order of which a part came back is corrected if its action shows the rest in the usual ratio."""
    one = filled(shop)
    orders = [f"{number},placed,119.00,USD,," for number in range(28)]
    rest = one.reconcile(*orders, "28,partly_returned,119.00,USD,,", "29,partly_returned,59.50,USD,,")
    assert told(rest, "expected_amount", "remedy") == [("29", "not_corrected", Decimal(50), "by hand")]


def test_a_few_orders_make_no_ratio(shop: Make) -> None:
    """Nineteen orders that are wrong alike are nineteen wrong orders."""
    one = filled(shop)
    lines = one.reconcile(*(f"{n},placed,119.00,USD,," if n < 19 else f"{n},placed,100.00,USD,," for n in range(30)))
    assert len(lines) == 19
    assert {(line["kind"], line["remedy"]) for line in lines} == {("amount", "plan")}


def test_orders_in_another_currency_than_the_account_are_told_once(shop: Make) -> None:
    """If most orders are in another currency, their amounts are not compared; what was returned is found anyway."""
    one = filled(shop)
    orders = [f"{number},placed,92.00,EUR,," for number in range(28)]
    lines = one.reconcile(*orders, "28,returned,0,EUR,,", "29,placed,80.00,GBP,,")
    assert told(lines) == [("28", "not_reversed"), ("29", "currency")]
    assert any(note.startswith("29 orders are in EUR and their actions in USD") for note in one.found.notes)


def test_a_ratio_alone_leaves_nothing_to_correct(shop: Make) -> None:
    """Nothing is wrong with single orders: the command says what it saw and ends with 0."""
    one = filled(shop)
    assert run(one.ask(*(f"{number},placed,119.00,USD,," for number in range(30)))) is Exit.DONE


def test_a_file_of_items_is_recognised(shop: Make) -> None:
    """Most orders listed more than once are a file with a row for each item, and the user is told what to give."""
    one = filled(shop)
    one.reconcile(*(f"{number},placed,50.00,USD,," for number in range(30) for _ in range(2)))
    assert any(note.startswith("30 of 30 orders are listed more than once") for note in one.found.notes)

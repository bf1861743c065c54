"""What finance asks, on inserted rows with answers worked out by hand, on every warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from dlt.destinations.exceptions import DatabaseException
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.impact_sync.views.ledgers import PENDING, Ledgers, ledgers

LOS_ANGELES = "America/Los_Angeles"
ZONES = ("UTC", LOS_ANGELES, "Pacific/Auckland", "Asia/Kathmandu")
NOVEMBER, DECEMBER, JANUARY = date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)
ACTION = PENDING | {"locking_date": "2026-02-27T08:00:00Z"}


@pytest.fixture
def books(warehouse: str) -> Iterator[Ledgers]:
    """Empty tables with the views over them, in a warehouse whose account is in Los Angeles."""
    assert warehouse
    with ledgers(LOS_ANGELES) as found:
        yield found


def test_settlement_has_what_finance_groups_by(books: Ledgers) -> None:
    """Order, promo code, customer, cost, click and the partner's groups in the campaign stand beside each action."""
    own: dict[str, Any] = {"oid": "O-1", "promo_code": "SAVE", "customer_status": "NEW", "client_cost": "11.5000"}
    books.add("actions", **ACTION, **own, referring_date="2026-01-04T10:00:00Z")
    books.add("actions", **ACTION | {"id": "2", "media_partner_id": "22"})
    for id_, name, campaign in (("8", "Deals", "1000"), ("9", "Content", "1000"), ("8", "Other", "2000")):
        books.add("partner_groups", id=id_, name=name, campaign_id=campaign)
        books.add("partner_group_members", group_id=id_, partner_id="11", campaign_id=campaign)
    columns = "action_id, at_risk, oid, promo_code, customer_status, client_cost, referring_date, partner_group"
    clicked = datetime(2026, 1, 4, 10, tzinfo=UTC)
    assert books.ask(f"select {columns} from impact.settlement order by 1") == [
        ("1", 10, "O-1", "SAVE", "NEW", Decimal("11.5"), clicked, "Content, Deals"),
        ("2", 10, None, None, None, None, None, None),
    ]


INSTANTS = (
    "'2026-02-01'",
    "date '2026-02-01'",
    "timestamp '2026-02-01 00:00:00'",
    "timestamptz '2026-02-01 08:00:00+00'",
    "'2026-02-01T00:00:00-08:00'",
    "'2026-02-01 13:45:00+05:45'",
    "'2026-02-01 08:00:00 UTC'",
    "'2026-02-01T08:00:00.000Z'",
)
HOUR_ONLY = "'2026-02-01T00-08:00'"
SHORT = (HOUR_ONLY, "'20260201T000000-0800'", "'2026-02-01T00:00-8'", "'2026-02-01 0000 -08'", "'2026-02-01 08:00+0 '")
"""Postgres takes all except that of an hour alone, DuckDB none: no offset is ignored."""


def test_what_was_accrued_is_as_it_was_known_at_an_instant(books: Ledgers, warehouse: str) -> None:
    """A date is the account's midnight and an offset counts, however the instant is written, in every session."""
    books.read("2026-01-31T00:00:00Z")
    books.read("2026-02-20T00:00:00Z")
    books.version(ACTION, "2026-01-05T12:00:00Z", "2026-02-01T08:00:00.000001Z", client_cost=12)
    reversed_: dict[str, Any] = {"state": "REVERSED", "payout": 0, "amount": 0, "intended_payout": 10}
    books.version(ACTION, "2026-02-01T08:00:00.000001Z", changed="state", **reversed_)
    # In Los Angeles, this is still December.
    december = ACTION | {"id": "2", "event_date": "2026-01-01T07:59:59Z", "locking_date": "2026-01-31T00:00:00Z"}
    books.version(december, "2026-01-05T12:00:00Z", "2026-02-01T08:00:00Z", payout=20)
    books.version(december, "2026-02-01T08:00:00Z", payout=30, cleared_date="2026-02-01T00:00:00Z", changed="payout")
    locked = {"id": "3", "locking_date": "2026-01-30T00:00:00Z", "payout": 7}
    books.version(ACTION | locked, "2026-01-05T12:00:00Z", currency="EUR")
    late = {"id": "4", "payout": 5, "event_date": "2026-01-20T10:00:00Z"}
    books.version(ACTION | late, "2026-02-01T08:00:00.000001Z")
    columns = "month, currency, actions, accrued, open, locked, paid, reversed, client_cost"
    sql = f"select media_partner_id, {columns} from impact.accrued_at({{}}) order by month, currency"
    then = [
        ("11", DECEMBER, "USD", 1, 30, 0, 0, 30, 0, 0),
        ("11", JANUARY, "EUR", 1, 7, 0, 7, 0, 0, 0),
        ("11", JANUARY, "USD", 1, 10, 10, 0, 0, 0, 12),
    ]
    for zone in ZONES:
        for instant in INSTANTS:
            assert books.ask(sql.format(instant), zone) == then, (zone, instant)
    assert books.ask(sql.format("'2026-01-31 23:59:59.999999'"))[0][4:] == (20, 0, 20, 0, 0, 0)
    assert books.ask(sql.format("'2026-01-30T23:00:00Z'"))[0][4:] == (20, 20, 0, 0, 0, 0), "not read since it locked"
    assert books.ask(sql.format("now()"))[1:] == [
        ("11", JANUARY, "EUR", 1, 7, 0, 7, 0, 0, 0),
        ("11", JANUARY, "USD", 2, 5, 5, 0, 0, 10, 0),
    ]
    assert books.ask(sql.format("'2025-12-31'")) == []
    for instant in SHORT:
        if warehouse == "postgres" and instant != HOUR_ONLY:
            assert books.ask(sql.format(instant)) == then, instant
        else:
            with pytest.raises(DatabaseException, match="timestamp"):
                books.ask(sql.format(instant))


def test_the_roll_forward_leads_from_one_balance_to_the_next(books: Ledgers) -> None:
    """What arrived, was corrected, restored and reversed, also where an action changes its partner or its currency."""
    inside, later = "2026-01-20T00:00:00Z", "2026-01-25T00:00:00Z"
    seen = "2026-01-06T00:00:00Z"
    dead: dict[str, Any] = {"state": "REVERSED", "payout": 0}
    books.version(ACTION, seen, inside)  # 10, corrected to 8, then reversed
    books.version(ACTION, inside, later, payout=8, changed="payout")
    books.version(ACTION, later, changed="state, payout", **dead)
    books.version(ACTION | {"id": "2"}, seen, later, **dead)  # restored with 4
    books.version(ACTION | {"id": "2"}, later, payout=4, changed="state, payout")
    books.version(ACTION | {"id": "3", "payout": 16}, inside)  # arrives
    books.version(ACTION | {"id": "4", "payout": 32}, seen, later)  # moves to another partner, with another payout
    bob = {"media_partner_id": "22", "media_partner_name": "Bob"}
    books.version(ACTION | {"id": "4"} | bob, later, payout=33, changed="media_partner_id, payout")
    books.version(ACTION | {"id": "5", "payout": 64}, seen, inside)  # is in euros after all
    books.version(ACTION | {"id": "5", "payout": 64, "currency": "EUR"}, inside, changed="currency")
    books.version(ACTION | {"id": "6", "payout": 128}, seen, inside)  # reversed and restored: nothing in the end
    books.version(ACTION | {"id": "6"}, inside, later, changed="state, payout", **dead)
    books.version(ACTION | {"id": "6", "payout": 128}, later, changed="state, payout")
    books.version(ACTION | {"id": "7", "payout": 256}, seen)  # does not change
    columns = "media_partner_id, currency, opening, arrivals, corrections, restorations, reversals, closing"
    sql = f"select {columns} from impact.roll_forward({{}}, {{}}) order by 1, 2"
    for zone in ZONES:
        assert books.ask(sql.format("'2026-01-10'", "'2026-02-01'"), zone) == [
            ("11", "EUR", 0, 0, 64, 0, 0, 64),
            # 10 + 32 + 64 + 128 + 256; 10 to 8, 32 and 64 leave; 4 and 128 come back; 8 and 128 go
            ("11", "USD", 490, 16, -98, 132, 136, 404),
            ("22", "USD", 0, 0, 33, 0, 0, 33),
        ], zone
    arrived = [row[:5] for row in books.ask(sql.format("date '2026-01-01'", "timestamptz '2026-01-10 08:00:00+00'"))]
    assert arrived == [("11", "USD", 0, 490, 0)]
    assert books.ask(sql.format("'2026-02-01'", "now()")) == [
        ("11", "EUR", 64, 0, 0, 0, 0, 64),
        ("11", "USD", 404, 0, 0, 0, 0, 404),
        ("22", "USD", 33, 0, 0, 0, 0, 33),
    ]
    assert books.ask(sql.format("'2026-02-01'", "'2026-01-10'")) == []


def test_a_month_moves_with_its_event(books: Ledgers) -> None:
    """If the date of an event is corrected into another month, the one loses what the other gains."""
    books.version(ACTION, "2026-01-06T00:00:00Z", "2026-01-20T00:00:00Z")
    books.version(ACTION, "2026-01-20T00:00:00Z", event_date="2025-12-05T10:00:00Z", changed="event_date")
    rolled = (
        "select month, opening, corrections, closing from impact.roll_forward('2026-01-10', '2026-02-01') order by 1"
    )
    assert books.ask(rolled) == [(DECEMBER, 0, 10, 10), (JANUARY, 10, -10, 0)]


def test_a_version_that_was_not_kept_breaks_no_balance(books: Ledgers) -> None:
    """Where the history was turned off for a while, its gap is a correction: the balances still add up."""
    books.version(ACTION, "2026-01-06T00:00:00Z", "2026-01-20T00:00:00Z")
    books.version(ACTION, "2026-01-25T00:00:00Z", payout=7, changed="")
    columns = "opening, arrivals, corrections, restorations, reversals, closing"
    rolled = f"select {columns} from impact.roll_forward('2026-01-10', '{{}}')"
    assert books.ask(rolled.format("2026-02-01")) == [(10, 0, -3, 0, 0, 7)]
    assert books.ask(rolled.format("2026-01-22")) == [(10, 0, -10, 0, 0, 0)]


def test_restatements_by_partner_count_and_add_up_by_kind(books: Ledgers) -> None:
    """Each partner's changes of a month, by what they were."""
    books.version(ACTION, "2026-01-06T00:00:00Z", "2026-02-01T07:59:59Z")
    books.version(ACTION, "2026-02-01T07:59:59Z", "2026-02-01T08:00:00Z", payout=8, amount=80, changed="payout, amount")
    books.version(ACTION, "2026-02-01T08:00:00Z", state="REVERSED", payout=0, amount=0, changed="state, payout")
    columns = "media_partner_name, changed_month, event_month, kind, changes, payout_change, amount_change"
    february = date(2026, 2, 1)
    assert books.ask(f"select {columns} from impact.restatements_by_partner order by 2, 4") == [
        ("Ada", JANUARY, JANUARY, "arrival", 1, 10, 100),
        ("Ada", JANUARY, JANUARY, "correction", 1, -2, -20),
        ("Ada", february, JANUARY, "reversal", 1, -8, -80),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_locked_commission_ages_by_the_days_of_the_account(books: Ledgers, zone: str) -> None:
    """The thirtieth day is still in the first column, and a day ends at the account's midnight."""
    books.read("2026-04-30T12:00:00Z")
    locks = {
        1: "2026-04-30T11:00:00Z",
        2: "2026-03-31T07:00:00Z",  # midnight in Los Angeles, 30 days ago
        4: "2026-03-31T06:59:59Z",
        8: "2026-03-01T08:00:00Z",  # 60 days ago, before the clocks changed
        16: "2026-03-01T07:59:59Z",
        32: "2026-01-30T08:00:00Z",  # 90 days ago
        64: "2026-01-30T07:59:59Z",
    }
    for payout, lock in locks.items():
        books.add("actions", **ACTION | {"id": str(payout), "payout": payout, "locking_date": lock})
    books.add("actions", **ACTION | {"id": "128", "payout": 128, "locking_date": None, "state": "LOCKED"})
    books.add("actions", **ACTION | {"id": "256", "payout": 256, "locking_date": locks[1], "state": "REVERSED"})
    books.add("actions", **ACTION | {"id": "512", "payout": 512, "locking_date": locks[1], "cleared_date": locks[1]})
    days = "days_0_to_30, days_31_to_60, days_61_to_90, days_over_90, days_not_known"
    ageing = f"select actions, unpaid, {days}, first_lock from impact.payment_ageing"
    assert books.ask(ageing, zone) == [
        (8, 255, 3, 12, 48, 64, 128, datetime(2026, 1, 30, 7, 59, 59, tzinfo=UTC)),
    ]


def test_partners_by_month_cohorts_and_costs(books: Ledgers) -> None:
    """A partner's month: what it sold, what was reversed and may still be, what it costs with fees."""
    books.read("2026-02-10T00:00:00Z")
    own: dict[str, Any] = {"intended_payout": 10, "client_cost": 13}
    books.add("actions", **ACTION | own)
    books.add("actions", **ACTION | own | {"id": "2", "payout": 6, "client_cost": 8, "amount": 50})
    dead = {"state": "REVERSED", "payout": 0, "amount": 0, "client_cost": 0}
    books.add("actions", **ACTION | own | {"id": "3"} | dead)
    books.add("actions", **ACTION | own | {"id": "4", "payout": 4, "amount": 50, "client_cost": None})
    december = {"event_date": "2026-01-01T07:00:00Z", "locking_date": "2026-01-31T00:00:00Z"}
    books.add("actions", **ACTION | own | december | {"id": "5"})
    books.add("actions", **ACTION | own | december | dead | {"id": "6"})
    columns = "actions, actions_reversed, reversal_rate, amount, payout, at_risk, commission_rate"
    by_month = f"select event_month, {columns} from impact.partner_performance_by_month order by 1"
    assert books.ask(by_month) == [
        (DECEMBER, 2, 1, 0.5, 100, 10, 0, 0.1),
        (JANUARY, 4, 1, 0.25, 200, 20, 20, 0.1),
    ]
    columns = "actions_open, is_final, reversal_rate, intended_payout, payout, payout_lost, lost_rate"
    assert books.ask(f"select event_month, {columns} from impact.partner_cohorts order by 1") == [
        (DECEMBER, 0, True, 0.5, 20, 10, 10, 0.5),
        (JANUARY, 3, False, 0.25, 40, 20, 10, 0.25),
    ]
    columns = "actions, payout, client_cost, fees, fee_rate, cost_rate, actions_without_cost"
    assert books.ask(f"select event_month, {columns} from impact.costs_by_month order by 1") == [
        (DECEMBER, 1, 10, 13, 3, 0.3, 0.13, 0),
        (JANUARY, 3, 20, 21, 5, 5 / 16, 0.14, 1),
    ]


def test_the_customer_mix_tells_labels_and_promo_codes_apart(books: Ledgers) -> None:
    """New and existing customers, with and without a code; reversed actions count without their money."""
    books.add("actions", **ACTION, customer_status="NEW", promo_code="SAVE", client_cost=11)
    books.add("actions", **ACTION | {"id": "2", "state": "REVERSED"}, customer_status="NEW", promo_code="SAVE")
    books.add("actions", **ACTION | {"id": "3"}, customer_status="EXISTING")
    books.add("actions", **ACTION | {"id": "4"})
    columns = "customer_status, promo_code, actions, actions_reversed, amount, payout, client_cost"
    assert books.ask(f"select event_month, {columns} from impact.customer_mix order by customer_status nulls last") == [
        (JANUARY, "EXISTING", None, 1, 0, 100, 10, 0),
        (JANUARY, "NEW", "SAVE", 2, 1, 100, 10, 11),
        (JANUARY, None, None, 1, 0, 100, 10, 0),
    ]


def test_items_sold_by_month_add_up_to_all_items_sold(books: Ledgers) -> None:
    """Each Sku has a row for each month of the account's calendar."""
    for id_, event in (("1", "2026-01-01T07:59:59Z"), ("2", "2026-01-01T08:00:00Z"), ("3", "2026-01-03T00:00:00Z")):
        state = "REVERSED" if id_ == "3" else "PENDING"
        books.add("actions", **ACTION | {"id": id_, "event_date": event, "state": state})
        books.add("action_items", action_id=id_, sku="S", quantity=2, sale_amount=50, payout=5, item_name="Shoe")
    columns = "sku, item_name, actions, actions_reversed, units, amount, payout, average_price"
    assert books.ask(f"select event_month, {columns} from impact.item_sales_by_month order by 1") == [
        (DECEMBER, "S", "Shoe", 1, 0, 2, 50, 5, 25.0),
        (JANUARY, "S", "Shoe", 2, 1, 2, 50, 5, 25.0),
    ]
    assert books.ask(f"select {columns} from impact.item_sales") == [("S", "Shoe", 3, 1, 4, 100, 10, 25.0)]


def _invoice(books: Ledgers, id_: str, created: str, *details: tuple[str, int, int, int]) -> None:
    """Add an invoice whose details are an event month, its number of actions, and two amounts."""
    books.add("invoices", id=id_, created_date=created, media_id="11", media_name="Ada", currency="USD")
    for place, (month, actions, for_actions, other) in enumerate(details, 1):
        key = {"invoice_id": id_, "line": place, "event_month_year": month}
        amounts = {"action_amount": for_actions, "other_amount": other or None, "total_amount": for_actions + other}
        books.add("invoice_lines", **key, kind="detail", program_id="1000", program_name="Acme", **amounts)
        money = {"net_item_amount": for_actions, "vat_item_amount": 1, "total_item_amount": for_actions + 1}
        own = {"campaign_id": "1000", "description": "MEDIA_PAYOUT", "actions": actions, "status": "PAID"}
        books.add("invoice_lines", **key, kind="line", **own, **money)


def test_an_invoice_ties_to_the_actions_that_it_should_pay(books: Ledgers) -> None:
    """What differs is a bonus, an action too many or too few, or an amount; what is on no invoice has a row as well."""
    cleared = {
        "1": (10, "2026-01-05T10:00:00Z", "2026-01-20T00:00:00Z"),
        "2": (20, "2026-01-05T10:00:00Z", "2026-02-01T07:59:59Z"),  # the last second of January
        "3": (35, "2026-01-05T10:00:00Z", "2026-02-01T08:00:00Z"),
        "4": (5, "2026-01-05T10:00:00Z", None),
        "5": (8, "2025-12-05T10:00:00Z", "2026-02-02T00:00:00Z"),
        "6": (3, "2025-12-05T10:00:00Z", "2026-02-03T00:00:00Z"),
        "7": (7, "2025-11-05T10:00:00Z", "2026-01-10T00:00:00Z"),
        "8": (50, "2026-01-05T10:00:00Z", "2026-03-05T00:00:00Z"),  # not due yet
    }
    for id_, (payout, event, at) in cleared.items():
        books.add("actions", **ACTION | {"id": id_, "payout": payout, "event_date": event, "cleared_date": at})
    _invoice(books, "I-1", "2026-02-01T19:43:30Z", ("12026", 2, 30, 25))
    _invoice(books, "I-2", "2026-03-01T19:43:30Z", ("012026", 2, 40, 0), ("122025", 1, 8, 0), ("soon", 0, 1, 0))
    columns = "actions_on_invoice, actions, net_amount, payout, difference, other_amount, unexplained, explanation"
    sql = f"select invoice_id, event_month, {columns}, explaining_actions from impact.invoice_tie_out order by 1, 2"
    assert books.ask(f"{sql}, 3".replace("order by 1, 2", "order by 1 nulls last, 2 nulls last")) == [
        ("I-1", JANUARY, 2, 2, 55, 30, 25, 25, 0, "other amount", None),
        ("I-2", DECEMBER, 1, 2, 8, 11, -3, 0, -3, "number of actions", "6"),
        ("I-2", JANUARY, 2, 1, 40, 35, 5, 0, 5, "number of actions", "4"),
        ("I-2", None, 0, 0, 1, 0, 1, 0, 1, "amounts of actions", None),
        (None, NOVEMBER, 0, 1, 0, 7, -7, 0, -7, "not invoiced", "7"),
    ]
    assert books.ask("select action_id, invoice_id, is_missing from impact.invoice_actions order by 1") == [
        ("1", "I-1", False),
        ("2", "I-1", False),
        ("3", "I-2", False),
        ("5", "I-2", False),
        ("6", "I-2", False),
        ("7", None, True),
        ("8", None, False),
    ]
    paid = "select invoice_id, net_amount, vat_amount, total_amount, status from impact.invoice_months"
    assert books.ask(f"{paid} where invoice_id = 'I-1'") == [("I-1", 55, 1, 31, "PAID")]


def test_invoices_of_one_month_are_compared_together(books: Ledgers) -> None:
    """Which of them pays an action is not known: they are one row, and nothing differs if they pay it all."""
    for id_, payout in (("1", 10), ("2", 20), ("3", 35)):
        cleared = {"event_date": "2026-01-05T10:00:00Z", "cleared_date": "2026-01-20T00:00:00Z"}
        books.add("actions", **ACTION | cleared | {"id": id_, "payout": payout})
    later = {"event_date": "2026-01-05T10:00:00Z", "cleared_date": "2026-02-20T00:00:00Z"}
    books.add("actions", **ACTION | later | {"id": "4", "payout": 9})
    _invoice(books, "I-9", "2026-02-01T19:43:30Z", ("12026", 2, 30, 0))
    _invoice(books, "I-2", "2026-02-15T19:43:30Z", ("12026", 1, 35, 5))
    _invoice(books, "I-3", "2026-03-01T19:43:30Z", ("12026", 1, 9, 0))
    columns = "invoice_id, invoices, actions_on_invoice, actions, net_amount, payout, unexplained, explanation"
    assert books.ask(f"select {columns} from impact.invoice_tie_out order by created_date") == [
        ("I-9", 2, 3, 3, 70, 65, 0, "other amount"),
        ("I-3", 1, 1, 1, 9, 9, 0, None),
    ]
    assert books.ask("select invoice_id, count(*) from impact.invoice_actions group by 1 order by 1") == [
        ("I-3", 1),
        ("I-9", 3),
    ]


def test_an_invoice_without_details_is_split_by_its_lines(books: Ledgers) -> None:
    """What is not a payout is the other amount."""
    books.add("invoices", id="I-1", created_date="2026-02-01T19:43:30Z", media_id="11", currency="USD")
    line = {"invoice_id": "I-1", "kind": "line", "campaign_id": "1000", "event_month_year": "12026"}
    books.add("invoice_lines", **line, line=1, description="MEDIA_PAYOUT", net_item_amount=12, status="OVERDUE")
    books.add("invoice_lines", **line, line=2, description="BONUS", net_item_amount=9, status="PAID")
    amounts = "event_month, action_amount, other_amount, net_amount, status"
    assert books.ask(f"select {amounts} from impact.invoice_months") == [(JANUARY, 12, 9, 21, "OVERDUE, PAID")]


VERSIONS = st.lists(
    st.tuples(
        st.integers(0, 5),  # hours until the next version
        st.sampled_from(["PENDING", "REVERSED", None]),
        st.sampled_from([0, 1, 3, None]),
        st.sampled_from(["11", "22", None]),
        st.sampled_from(["USD", "EUR"]),
        st.sampled_from(["2026-01-01T07:00:00Z", "2026-01-01T09:00:00Z"]),
    ),
    min_size=1,
    max_size=4,
)


def test_any_history_rolls_forward() -> None:
    """Whatever an action becomes, and when, each balance is the sum of what is valid then, and changes lead to it."""
    began = datetime(2026, 1, 10, tzinfo=UTC)
    with ledgers(LOS_ANGELES) as books:

        @settings(max_examples=30, deadline=None)
        @given(actions=st.lists(VERSIONS, min_size=1, max_size=3), opens=st.integers(-1, 9), lasts=st.integers(0, 9))
        def check(actions: list[list[tuple[Any, ...]]], opens: int, lasts: int) -> None:
            books.ask("delete from impact.action_history; delete from impact.actions")
            balances: dict[tuple[Any, ...], list[int]] = {}
            closes = opens + lasts
            for number, versions in enumerate(actions):
                at = 0
                for place, (hours, state, payout, partner, currency, event) in enumerate(versions):
                    until = None if place == len(versions) - 1 else at + 1 + hours
                    row = ACTION | {"id": str(number), "state": state, "payout": payout, "currency": currency}
                    row |= {"media_partner_id": partner, "event_date": event, "changed": "x" if place else None}
                    span = [None if hour is None else began + timedelta(hours=hour) for hour in (at, until)]
                    books.add("action_history", **row, valid_from=span[0], valid_to=span[1])
                    month = DECEMBER if event == "2026-01-01T07:00:00Z" else JANUARY
                    for which, instant in enumerate((opens, closes)):
                        if at <= instant and (until is None or until > instant) and state != "REVERSED":
                            balances.setdefault((partner, currency, month), [0, 0])[which] += payout or 0
                    at = until or 0
            first, last = ((began + timedelta(hours=hour)).isoformat() for hour in (opens, closes))
            moved = "arrivals + corrections + restorations - reversals"
            rolled = books.ask(
                f"select media_partner_id, currency, month, opening, closing, {moved} "
                f"from impact.roll_forward('{first}', '{last}')"
            )
            assert {row[:3]: [*row[3:5]] for row in rolled if any(row[3:5])} == {
                bucket: both for bucket, both in balances.items() if any(both)
            }
            assert all(opening + change == closing for *_, opening, closing, change in rolled)

        check()

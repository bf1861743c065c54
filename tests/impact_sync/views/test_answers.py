"""The views that finance and partnership people query, on a small account with answers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from impact_sync.verify.run import verify

from tests.support.account import Account

Make = Callable[..., Account]
ADA: Any
BOB: Any
ADA, BOB = {"MediaPartnerId": "11", "MediaPartnerName": "Ada"}, {"MediaPartnerId": "22", "MediaPartnerName": "Bob"}
_BOOKS: dict[str, Any] = {
    # name: state, payout, amount, currency, event, lock; the account's clock says 15 January 2026
    "open": {"LockingDate": "2026-02-10T00:00:00Z", "Payout": "10.00", "Amount": "100.00", **ADA},
    "locked": {
        "State": "APPROVED",
        "LockingDate": "2026-01-10T00:00:00Z",
        "Payout": "20.00",
        "Amount": "200.00",
        **ADA,
    },
    "paid": {
        "State": "APPROVED",
        "EventDate": "2025-12-20T10:00:00Z",
        "LockingDate": "2026-01-03T00:00:00Z",
        "ClearedDate": "2026-01-12T00:00:00Z",
        "Payout": "30.00",
        "Amount": "300.00",
        **BOB,
    },
    "lost": {
        "State": "REVERSED",
        "EventDate": "2025-12-28T10:00:00Z",
        "LockingDate": "2026-02-10T00:00:00Z",
        "Payout": "0.00",
        "IntendedPayout": "40.00",
        "Amount": "0.00",
        **BOB,
    },
    "euros": {"LockingDate": "", "Payout": "5.00", "Amount": "50.00", "Currency": "EUR", **ADA},
    "strange": {"State": "ON_HOLD", "LockingDate": "2026-02-12T00:00:00Z", "Payout": "7.00", "Amount": "70.00", **BOB},
    "early": {"State": "APPROVED", "LockingDate": "2026-02-17T00:00:00Z", "Payout": "11.00", "Amount": "110.00", **BOB},
    "named paid": {"State": "PAID", "LockingDate": "", "Payout": "13.00", "Amount": "130.00", **ADA},
}
_USUAL = {"EventDate": "2026-01-05T10:00:00Z", "Currency": "USD"}


@pytest.fixture
def books(account: Make) -> tuple[Account, dict[str, str]]:
    """The account, synced, and the id of each of its actions by its name here."""
    world = account(days=1, per_day=0)
    ids = {name: world.world.create("1000", **(_USUAL | fields)) for name, fields in _BOOKS.items()}
    world.first_sync()
    return world, {action_id: name for name, action_id in ids.items()}


def by_name(books: tuple[Account, dict[str, str]], sql: str) -> dict[str, tuple[Any, ...]]:
    """Rows of a query whose first column is an action's id, by the action's name."""
    world, names = books
    return {names[row[0]]: row[1:] for row in world.query(sql)}


def test_settlement_says_what_can_still_change_until_when_and_what_is_at_risk(
    books: tuple[Account, dict[str, str]],
) -> None:
    """An unknown LockingDate or state counts as open; a reversed action can be restored but risks nothing."""
    rows = by_name(books, "select action_id, stage, can_change, can_change_until, at_risk from impact.settlement")
    feb = {day: datetime(2026, 2, day, tzinfo=UTC) for day in (10, 12, 17)}
    assert rows == {
        "open": ("open", True, feb[10], Decimal(10)),
        "locked": ("locked", False, None, 0),
        "paid": ("paid", False, None, 0),
        "lost": ("reversed", True, feb[10], 0),
        "euros": ("open", True, None, Decimal(5)),
        "strange": ("open", True, feb[12], Decimal(7)),
        "early": ("open", True, feb[17], Decimal(11)),
        "named paid": ("paid", False, None, 0),
    }


def test_settlement_moves_with_what_was_read_not_with_the_wall_clock(books: tuple[Account, dict[str, str]]) -> None:
    """An action is open as of the last sync; once a sync has passed its LockingDate it is locked."""
    world, _ = books
    world.world.advance(days=27)  # 11 February
    assert by_name(books, "select action_id, stage from impact.settlement")["open"] == ("open",)
    world.sync()
    rows = by_name(books, "select action_id, stage, can_change from impact.settlement")
    assert rows["open"] == ("locked", False)
    assert rows["early"] == ("open", True)
    assert rows["euros"] == ("open", True)


def test_commission_by_month_never_adds_currencies(books: tuple[Account, dict[str, str]]) -> None:
    """What is accrued is pending, approved and paid; reversed is what the reversed actions would have earned."""
    world, _ = books
    sql = (
        "select month, currency, actions, accrued, pending, approved, paid, reversed from impact.commission_by_month "
        "where basis = '{}' order by 1 nulls last, 2"
    )
    december, january, february = date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)
    assert world.query(sql.format("event")) == [
        (december, "USD", 2, 30, 0, 0, 30, 40),
        (january, "EUR", 1, 5, 5, 0, 0, 0),
        (january, "USD", 5, 61, 17, 31, 13, 0),
    ]
    assert world.query(sql.format("locking")) == [
        (january, "USD", 2, 50, 0, 20, 30, 0),
        (february, "USD", 4, 28, 17, 11, 0, 40),
        (None, "EUR", 1, 5, 5, 0, 0, 0),
        (None, "USD", 1, 13, 0, 0, 13, 0),
    ]


def test_partner_performance_counts_reversals_and_leaves_their_money_out(
    books: tuple[Account, dict[str, str]],
) -> None:
    """One row for each partner and currency, with shares of what is not reversed."""
    world, _ = books
    rows = world.query(
        "select media_partner_name, currency, actions, actions_reversed, reversal_rate, amount, payout, at_risk, "
        "commission_rate, average_amount from impact.partner_performance order by 1, 2"
    )
    assert rows == [
        ("Ada", "EUR", 1, 0, 0, 50, 5, 5, 0.1, 50.0),
        ("Ada", "USD", 3, 0, 0, 430, 43, 10, 0.1, pytest.approx(430 / 3)),
        ("Bob", "USD", 4, 1, 0.25, 480, 48, 18, 0.1, 160.0),
    ]


def test_lock_calendar_has_a_row_for_each_week_and_one_for_locks_that_are_not_known(
    books: tuple[Account, dict[str, str]],
) -> None:
    """Weeks begin on Monday; only what is open and not reversed is in them."""
    world, _ = books
    rows = world.query(
        "select locking_week, currency, actions, actions_approved, at_risk from impact.lock_calendar "
        "order by 1 nulls last"
    )
    assert rows == [
        (date(2026, 2, 9), "USD", 2, 0, Decimal(17)),
        (date(2026, 2, 16), "USD", 1, 1, Decimal(11)),
        (None, "EUR", 1, 0, Decimal(5)),
    ]


def test_restatements_since_an_instant_are_what_is_now_less_what_was_then(
    books: tuple[Account, dict[str, str]],
) -> None:
    """Each change is a reversal, a restoration, a correction or a late arrival, and they add up."""
    world, names = books
    ids = {name: action_id for action_id, name in names.items()}
    closed = world.world.now + timedelta(minutes=1)
    before = dict(world.query("select currency, sum(payout) from impact.actions group by 1"))
    world.world.advance(days=1)
    world.world.reverse(ids["open"])
    world.world.modify(ids["strange"], Payout="6.00", Amount="60.00")
    world.world.approve(ids["euros"])
    late = world.world.create("1000", **(_USUAL | {"Payout": "2.00", "Amount": "20.00", **BOB}))
    names[late] = "late"
    world.sync()
    world.world.advance(days=1)
    world.world.restore(ids["open"])
    world.world.modify(ids["early"], Currency="EUR")
    world.sync()
    since = f"from impact.restatements where changed_at > '{closed}' and event_date <= '{closed}'"
    rows = world.query(f"select action_id, kind, currency, payout_change {since}")
    assert sorted((names[row[0]], *row[1:]) for row in rows) == [
        ("early", "correction", "EUR", Decimal(11)),
        ("early", "correction", "USD", Decimal(-11)),
        ("late", "arrival", "USD", Decimal(2)),
        ("open", "restoration", "USD", Decimal(10)),
        ("open", "reversal", "USD", Decimal(-10)),
        ("strange", "correction", "USD", Decimal(-1)),
    ]
    changes = dict(world.query(f"select currency, sum(payout_change) {since} group by 1"))
    after = dict(world.query("select currency, sum(payout) from impact.actions group by 1"))
    assert {currency: before[currency] + changes[currency] for currency in before} == after


def test_reversal_rates_are_by_the_age_of_the_actions(account: Make) -> None:
    """Actions of one week since the event are a row for each partner; those that can still be reversed are separate."""
    world = account(days=1, per_day=0)
    lock = "2026-02-01T00:00:00Z"
    usual: Any = ADA | {"LockingDate": lock, "Currency": "USD", "Payout": "8.00"}
    first = [world.world.create("1000", **usual) for _ in range(4)]
    world.world.advance(days=10)
    world.world.reverse(first[0])
    world.world.create("1000", **usual)
    world.world.advance(days=4)  # 29 January: the first four are two weeks old to the second
    world.first_sync()
    sql = (
        "select week, actions, actions_reversed, actions_open, reversal_rate, payout_lost from impact.reversal_rates "
        "order by week"
    )
    assert world.query(sql) == [(0, 1, 0, 1, 0.0, 0), (2, 4, 1, 3, 0.25, 8)]
    world.world.advance(days=7)
    world.sync()
    assert world.query(sql) == [(1, 1, 0, 0, 0.0, 0), (3, 4, 1, 0, 0.25, 8)]


def test_item_sales_adds_up_units_and_money_by_sku(account: Make) -> None:
    """Items of reversed actions count as actions but not as sales."""
    world = account(days=1, per_day=0)
    shoe = {"Sku": "S", "ItemName": "Shoe", "Category": "Footwear", "SaleAmount": "60.00", "Payout": "6.00"}
    sock = {"Sku": "K", "ItemName": "Sock", "Category": "Footwear", "SaleAmount": "8.00", "Payout": "1.00"}
    money = {"SaleAmountCurrency": "USD", "PayoutCurrency": "USD"}
    world.world.create(items=[shoe | money | {"Quantity": "1"}, sock | money | {"Quantity": "4"}], Currency="USD")
    lost = world.world.create(items=[shoe | money | {"Quantity": "2"}], Currency="USD")
    world.world.reverse(lost)
    world.first_sync(items_max_requests=None)
    rows = world.query(
        "select category, sku, currency, item_name, actions, actions_reversed, units, amount, payout, average_price "
        "from impact.item_sales order by sku"
    )
    assert rows == [
        ("Footwear", "K", "USD", "Sock", 1, 0, 4, 8, 1, 2.0),
        ("Footwear", "S", "USD", "Shoe", 2, 1, 1, 60, 6, 60.0),
    ]


def test_freshness_says_how_far_each_campaign_is_known_and_whether_it_was_proven(account: Make) -> None:
    """As of when, the newest conversion, when it was verified and what differed then."""
    world = account(days=10, per_day=4)
    world.world.advance(days=2)
    world.first_sync()
    sql = "select campaign_id, as_of, verified_at is null, drift from impact.freshness order by 1"
    until = world.world.now.replace(microsecond=0)
    assert world.query(sql) == [("1000", until, True, None), ("2000", until, True, None)]
    verify(world.settings())
    assert [row[2:] for row in world.query(sql)] == [(False, 0), (False, 0)]
    with world.changing() as connection:
        connection.execute("delete from actions where id = (select min(id) from actions where campaign_id = '1000')")
    world.world.advance(hours=1)
    verify(world.settings())
    assert [row[2:] for row in world.query(sql)] == [(False, 1), (False, 0)]


def test_without_history_there_are_the_views_that_need_none(account: Make) -> None:
    """A view whose table does not exist is left out; the others answer."""
    world = account(days=1, per_day=2)
    world.first_sync(history=False)
    names = {name for (name,) in world.query("select view_name from duckdb_views() where not internal")}
    assert "settlement" in names
    assert "restatements" not in names

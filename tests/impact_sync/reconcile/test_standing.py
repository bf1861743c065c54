"""What can be done about a difference by when, and what locks first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from impact_source.errors import ConfigurationError
from impact_sync.reconcile.run import Found

from tests.support.orders import Row, Shop, told

Make = Callable[..., Shop]


def instant(moment: datetime) -> str:
    """An instant as the API and the orders write it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_locked_approved_and_paid_actions_are_told_apart(shop: Make) -> None:
    """What can no longer be changed is not planned: by its lock, its state or its payment."""
    one = shop(approval_delay_days=9)
    now = one.desk.world.now
    fields: dict[str, dict[str, Any]] = {
        "open": {},
        "locked": {"LockingDate": instant(now - timedelta(hours=1))},
        "paid": {"ClearedDate": instant(now - timedelta(hours=1))},
        "approved": {},
    }
    ids = {oid: one.desk.create(Oid=oid, **fields[oid]) for oid in fields}
    one.desk.world.approve(ids["approved"])
    one.desk.sync()
    lines = one.reconcile(*(f"{oid},returned,,,," for oid in fields))
    assert told(lines, "standing", "commission") == [
        ("approved", "not_reversed", "locked", Decimal("2.5")),
        ("locked", "not_reversed", "locked", Decimal("2.5")),
        ("open", "not_reversed", "open", Decimal("2.5")),
        ("paid", "not_reversed", "locked", Decimal("2.5")),
    ]
    assert counts(one.found) == (4, 1, 3)
    assert one.found.planned["action_id"].to_pylist() == [ids["open"]]


def test_what_is_younger_than_the_last_sync_is_not_due(shop: Make) -> None:
    """An order that changed or came since may be right by now; actions are visible an hour late."""
    one = shop()
    one.desk.create(Oid="1")
    one.desk.create(Oid="2")
    one.desk.sync()
    now = one.desk.world.now
    header = "order_id,status,ordered_at,updated_at,referred"
    lines = one.reconcile(
        f"1,returned,{instant(now - timedelta(days=1))},{instant(now + timedelta(minutes=1))},",
        f"2,returned,{instant(now - timedelta(days=1))},{instant(now - timedelta(minutes=1))},",
        f"3,placed,{instant(now - timedelta(minutes=59))},,true",
        f"4,placed,{instant(now - timedelta(minutes=61))},,true",
        header=header,
    )
    assert told(lines, "standing") == [
        ("1", "not_reversed", "not due"),
        ("2", "not_reversed", "open"),
        ("3", "no_action", "not due"),
        ("4", "no_action", "open"),
    ]
    assert len(one.found.planned) == 1


def test_what_the_api_no_longer_has_is_out_of_reach(shop: Make) -> None:
    """An action that is gone at the source, and an order from before the warehouse begins, cannot be mended."""
    one = shop()
    gone = one.desk.create(Oid="gone")
    one.desk.create(Oid="there")
    one.desk.sync()
    now = one.desk.world.now
    with one.desk.account.changing() as connection:
        connection.execute(
            "insert into verify_results (run_id, action_id, column_name, finding, found_at, _dlt_load_id, _dlt_id) "
            f"values ('r', '{gone}', '', 'gone', now(), 'l', 'i')"
        )
    old = instant(now - timedelta(days=1_200))
    lines = one.reconcile("gone,returned,,,,", "there,placed,30.00,USD,,", f"old,placed,1.00,USD,{old},true")
    assert told(lines, "standing") == [
        ("gone", "not_reversed", "out of reach"),
        ("old", "no_action", "out of reach"),
    ]
    assert counts(one.found) == (2, 0, 0)


def test_what_locks_within_a_week_comes_first_then_the_money(shop: Make) -> None:
    """The list begins with what is lost first; locked differences come after everything that can be done."""
    one = shop()
    now = one.desk.world.now
    for oid, days, payout in (("late", 20, 9), ("soon", 6, 1), ("sooner", 2, 2), ("lost", -1, 99), ("later", 30, 5)):
        lock = instant(now + timedelta(days=days))
        one.desk.create(Oid=oid, Amount="30.00", Payout=f"{payout}.00", items=(), LockingDate=lock)
    one.desk.sync()
    one.reconcile(*(f"{oid},returned,,,," for oid in ("late", "later", "lost", "soon", "sooner")))
    assert [line["order_id"] for line in one.found.foremost] == ["sooner", "soon", "late", "later", "lost"]


def test_only_orders_within_the_bounds_are_told(shop: Make) -> None:
    """--since and --until choose orders by when they were placed; an action keeps an order outside of them."""
    one = shop()
    now = one.desk.world.now
    for oid in ("1", "2", "3", "undated"):
        one.desk.create(Oid=oid)
    one.desk.sync()
    lines: list[Row] = one.reconcile(
        *(f"{day},returned,,,{instant(now - timedelta(days=day))}," for day in (1, 2, 3)),
        "undated,returned,,,,",
        since=now - timedelta(days=2, hours=12),
        until=now,
    )
    assert told(lines) == [("1", "not_reversed"), ("2", "not_reversed"), ("undated", "not_reversed")]
    assert one.found.head["orders"] == 3


@pytest.mark.parametrize("bounds", [{"since": date(2027, 1, 1)}, {"until": date(2026, 1, 8)}])
def test_orders_of_another_time_than_asked_for_are_a_mistake(shop: Make, bounds: dict[str, date]) -> None:
    """An old export, or bounds that are mistyped, end with an error that says of when the orders are."""
    one = shop()
    one.desk.create(Oid="1")
    one.desk.sync()
    orders = ("1,returned,,,2026-01-10 08:00,", "2,placed,,,2026-01-09,")
    with pytest.raises(ConfigurationError, match=r"none of the 2 orders .* from 2026-01-09 00:00 to 2026-01-10 08:00"):
        one.reconcile(*orders, **bounds)
    assert one.desk.account.query("from duckdb_tables() where table_name like 'reconciliation%'") == []


def test_days_are_the_accounts(shop: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A date as a bound, and a time of an order without an offset, are those of the account's time zone."""
    monkeypatch.setenv("SOURCES__IMPACT__TIME_ZONE", "Asia/Tokyo")
    one = shop()
    for oid in ("1", "2", "3"):
        one.desk.create(Oid=oid)
    one.desk.account.sync(time_zone="Asia/Tokyo")
    orders = ("1,returned,,,2026-01-10,", "2,returned,,,2026-01-09T15:00:00Z,", "3,returned,,,2026-01-09 23:59:59,")
    lines = one.reconcile(*orders, since=date(2026, 1, 10), until=date(2026, 1, 10))
    assert told(lines, "ordered_at") == [
        (oid, "not_reversed", datetime(2026, 1, 9, 15, tzinfo=UTC)) for oid in ("1", "2")
    ]


def counts(found: Found) -> tuple[int, int, int]:
    """Differences, those that can be corrected, those that have locked."""
    head = found.head
    return head["differences"], head["correctable"], head["locked"]

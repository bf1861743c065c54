"""What counts as a change, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from sources.impact.changes import changed_rows
from sources.impact.columns import MONEY, TIME

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rows(*tuples: tuple[str, str | None, str], read_at: datetime = NOW, **extra: str | None) -> pa.Table:
    """A table of (id, state, payout)."""
    columns = {
        "id": pa.array([row[0] for row in tuples], pa.string()),
        "state": pa.array([row[1] for row in tuples], pa.string()),
        "currency": pa.array(["USD"] * len(tuples), pa.string()),
        "payout": pa.array([Decimal(row[2]) for row in tuples], MONEY),
        "synced_at": pa.array([read_at] * len(tuples), TIME),
    }
    columns |= {name: pa.array([value] * len(tuples), pa.string()) for name, value in extra.items()}
    return pa.table(columns)


def test_rows_that_did_not_change_are_left_out() -> None:
    """A row is written again only if a column of it differs; when it was read is no difference."""
    old = rows(("a", "PENDING", "1"), ("b", "PENDING", "2"), read_at=NOW - timedelta(days=1))
    new = rows(("b", "PENDING", "2.5"), ("a", "PENDING", "1.00"), ("c", "PENDING", "3"))
    changed, tally = changed_rows(new, old)
    assert changed["id"].to_pylist() == ["b", "c"]
    assert (tally.read, tally.new, tally.changed, dict(tally.money)) == (3, 1, 1, {"USD": Decimal("3.5")})


def test_null_and_value_differ_and_null_and_null_do_not() -> None:
    """A value that appears or disappears is a change."""
    old = rows(("a", None, "1"), ("b", "PENDING", "1"), ("c", None, "1"))
    new = rows(("a", None, "1"), ("b", None, "1"), ("c", "PENDING", "1"))
    assert changed_rows(new, old)[0]["id"].to_pylist() == ["b", "c"]


def test_a_column_that_appears_or_disappears_is_a_change_where_it_has_a_value() -> None:
    """Fields nobody declared are compared like the others."""
    plain = rows(("a", "PENDING", "1"))
    assert len(changed_rows(rows(("a", "PENDING", "1"), sub="x"), plain)[0]) == 1
    assert len(changed_rows(plain, rows(("a", "PENDING", "1"), sub="x"))[0]) == 1
    assert len(changed_rows(rows(("a", "PENDING", "1"), sub=None), plain)[0]) == 0


def test_transitions_are_counted_by_what_they_mean() -> None:
    """Approved, reversed and restored are told apart, and new actions are none of them."""
    old = rows(("a", "PENDING", "1"), ("r", "PENDING", "1"), ("s", "REVERSED", "0"), ("l", "APPROVED", "1"))
    new = rows(
        ("a", "APPROVED", "1"),
        ("r", "REVERSED", "0"),
        ("s", "PENDING", "1"),
        ("l", "PAID", "1"),
        ("n", "APPROVED", "2"),
    )
    tally = changed_rows(new, old)[1]
    assert (tally.new, tally.changed, tally.approved, tally.reversed, tally.restored) == (1, 4, 1, 1, 1)
    assert tally.money["USD"] == 2


def test_an_empty_warehouse_makes_every_row_new() -> None:
    """The first load is all news."""
    changed, tally = changed_rows(rows(("a", "APPROVED", "1.25")), None)
    assert (len(changed), tally.read, tally.new, tally.money["USD"]) == (1, 1, 1, Decimal("1.25"))

"""What counts as a change, and what is reported of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from impact_source.rows.columns import MONEY, TIME
from impact_source.rows.diff import Tally, changed_rows, differing_columns

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
    """A row is written again only if a column of it differs; the time of reading does not count."""
    old = rows(("a", "PENDING", "1"), ("b", "PENDING", "2"), read_at=NOW - timedelta(days=1))
    new = rows(("b", "PENDING", "2.5"), ("a", "PENDING", "1.00"), ("c", "PENDING", "3"))
    changed, tally = changed_rows(new, old)
    assert changed["id"].to_pylist() == ["b", "c"]
    assert (tally.read, tally.new, tally.changed, dict(tally.money)) == (3, 1, 1, {"USD": Decimal("3.5")})


def test_a_large_page_is_compared_to_its_end() -> None:
    """However many rows there are, each is compared with its own."""
    new = rows(*((f"{n}", "PENDING", "1") for n in range(10_001)))
    held = rows(*((f"{n}", "PENDING", "1" if n % 2_500 else "2") for n in reversed(range(10_000))))
    assert changed_rows(new, held)[0]["id"].to_pylist() == ["0", "2500", "5000", "7500", "10000"]
    assert len(changed_rows(new.slice(0, 0), held)[0]) == 0


def test_null_and_value_differ_and_null_and_null_do_not() -> None:
    """A value that appears or disappears is a change."""
    old = rows(("a", None, "1"), ("b", "PENDING", "1"), ("c", None, "1"))
    new = rows(("a", None, "1"), ("b", None, "1"), ("c", "PENDING", "1"))
    assert changed_rows(new, old)[0]["id"].to_pylist() == ["b", "c"]


def test_a_column_that_appears_or_disappears_is_a_change_where_it_has_a_value() -> None:
    """Undeclared fields are compared like the others."""
    plain = rows(("a", "PENDING", "1"))
    assert len(changed_rows(rows(("a", "PENDING", "1"), sub="x"), plain)[0]) == 1
    assert len(changed_rows(plain, rows(("a", "PENDING", "1"), sub="x"))[0]) == 1
    assert len(changed_rows(rows(("a", "PENDING", "1"), sub=None), plain)[0]) == 0


def test_transitions_are_counted_by_what_they_mean() -> None:
    """Approved, reversed and restored are told apart, and new actions count as none of them."""
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
    """On the first load everything is new."""
    changed, tally = changed_rows(rows(("a", "APPROVED", "1.25")), None)
    assert (len(changed), tally.read, tally.new, tally.money["USD"]) == (1, 1, 1, Decimal("1.25"))


def counts(tally: Tally) -> dict[str, object]:
    """What a tally counts, without zeros."""
    return {name: value for name, value in vars(tally).items() if value and name != "money"}


def test_tallies_add_up() -> None:
    """The report of a run counts what each of its pages brought, and money by currency."""
    first = Tally(1, 2, 3, 4, 5, 6, 7, 8, defaultdict(Decimal, USD=Decimal(1)))
    first.add(Tally(10, 20, 30, 40, 50, 60, 70, 80, defaultdict(Decimal, USD=Decimal(2), EUR=Decimal(3))))
    money = {"USD": Decimal(3), "EUR": Decimal(3)}
    assert first == Tally(11, 22, 33, 44, 55, 66, 77, 88, defaultdict(Decimal, money))


def test_a_page_without_news_counts_nothing() -> None:
    """A run that finds nothing new says so: no row is written and no money moves."""
    old = rows(("a", "PENDING", "1"))
    changed, tally = changed_rows(old, old)
    assert len(changed) == 0
    assert counts(tally) == {"read": 1}


def test_a_change_within_a_state_is_no_transition() -> None:
    """A payout that changes in an approved action approves nothing; one in a reversed action restores nothing."""
    old = rows(("a", "APPROVED", "1"), ("r", "REVERSED", "1"), ("n", None, "1"), ("m", None, "1"))
    new = rows(("a", "APPROVED", "2"), ("r", "REVERSED", "0"), ("n", "APPROVED", "1"), ("m", "REVERSED", "1"))
    assert counts(changed_rows(new, old)[1]) == {"read": 4, "changed": 4}


def with_currency(table: pa.Table, currency: str | None) -> pa.Table:
    """The same rows in another currency."""
    return table.set_column(2, "currency", pa.array([currency] * len(table), pa.string()))


def test_money_that_changes_its_currency_moves_in_both() -> None:
    """Sums by currency stay true if an account's currency changes, or is missing."""
    old = with_currency(rows(("a", "PENDING", "1")), "EUR")
    assert changed_rows(rows(("a", "PENDING", "3")), old)[1].money == {"USD": Decimal(3), "EUR": Decimal(-1)}
    untold = with_currency(rows(("a", "PENDING", "3")), None)
    assert changed_rows(untold, old)[1].money == {"": Decimal(3), "EUR": Decimal(-1)}


def test_a_typed_column_that_appears_is_compared_by_its_values() -> None:
    """An amount that a release begins to load is a change if it is given, and none if it is not."""
    old = rows(("a", "PENDING", "1"), ("b", "PENDING", "1"))
    new = old.append_column("amount", pa.array([Decimal(5), None], MONEY))
    assert changed_rows(new, old)[0]["id"].to_pylist() == ["a"]
    as_text = old.append_column("amount", pa.array(["5.00", None]))
    assert len(changed_rows(new, as_text)[0]) == 0, "a column that was text before holds the same amounts"


def test_when_a_row_was_read_is_compared_by_nobody() -> None:
    """Whichever of two tables has it, the time of reading does not count as a difference."""
    old = rows(("a", "PENDING", "1"))
    assert "synced_at" not in differing_columns(old, old.drop_columns(["synced_at"]))
    assert "synced_at" not in differing_columns(old.drop_columns(["synced_at"]), old)


HELD = rows(("a", "PENDING", "1"), ("b", "PENDING", "1"))
CARRIED = rows(("a", "APPROVED", "2"), ("c", "PENDING", "5")).drop_columns(["synced_at"])


@pytest.mark.parametrize(
    ("new", "written", "counted", "money"),
    [
        (("a", "PENDING", "1"), True, {"changed": 1}, -1),
        (("a", "APPROVED", "2"), True, {}, 0),
        (("a", "REVERSED", "0"), True, {"changed": 1, "reversed": 1}, -2),
        (("b", "PENDING", "1"), False, {}, 0),
        (("b", "APPROVED", "4"), True, {"changed": 1, "approved": 1}, 3),
        (("c", "PENDING", "5"), True, {}, 0),
        (("c", "PENDING", "6"), True, {"changed": 1}, 1),
        (("d", "PENDING", "7"), True, {"new": 1}, 7),
    ],
)
def test_what_a_load_package_carries_is_written_again_and_counted_once(
    new: tuple[str, str, str],
    written: bool,  # noqa: FBT001 - the expected value
    counted: dict[str, int],
    money: int,
) -> None:
    """An action that two windows of one package return lands as the later answer says, and is reported once."""
    changed, tally = changed_rows(rows(new), HELD, CARRIED)
    assert len(changed) == int(written)
    assert counts(tally) == {"read": 1} | counted
    assert sum(tally.money.values()) == money


def test_what_a_first_load_package_carries_is_not_new_again() -> None:
    """If the warehouse is still empty, a later answer is compared only with the package."""
    page = rows(("a", "APPROVED", "2"), ("c", "PENDING", "6"), ("d", "PENDING", "7"))
    changed, tally = changed_rows(page, None, CARRIED)
    assert len(changed) == 3
    assert counts(tally) == {"read": 3, "new": 1, "changed": 1}
    assert tally.money["USD"] == 8


def test_a_package_whose_states_are_all_unknown_is_compared_like_others() -> None:
    """A column that is NULL throughout has no type, and no page fails because of it."""
    untyped = CARRIED.set_column(1, "state", pa.nulls(len(CARRIED)))
    assert counts(changed_rows(rows(("b", "APPROVED", "1")), HELD, untyped)[1]) == {
        "read": 1,
        "changed": 1,
        "approved": 1,
    }

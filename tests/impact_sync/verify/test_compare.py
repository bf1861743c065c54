"""What a verification says of rows that differ, by plain calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from impact_source.parsing import start_of
from impact_source.rows.columns import ACTION, SYNCED_AT
from impact_sync.verify.compare import Cell, Difference, Kind, compare, months, only

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
OLD = NOW - 100 * DAY
SCHEMA = pa.schema([(column.name, column.kind.arrow) for column in (*ACTION, SYNCED_AT)])


def action(id_: str, **columns: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """An action that happened long ago."""
    usual = {"state": "PENDING", "payout": Decimal(1), "event_date": OLD, "creation_date": OLD, "synced_at": OLD}
    return usual | {"id": id_} | columns


def table(*rows: dict[str, Any]) -> pa.Table:
    """Actions as the API or the warehouse has them."""
    return pa.Table.from_pylist(list(rows), SCHEMA)


def ids(rows: pa.Table) -> list[str]:
    """The ids of some rows."""
    return list(rows["id"].to_pylist())


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is not UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_rows_are_the_same_missing_or_stale() -> None:
    """Every column except `synced_at` counts; if both have the same rows, nothing is reported."""
    there = table(action("same"), action("missing"), action("stale", note="new"), action("untold", note=None))
    here = table(
        action("stale", note="old"), action("other"), action("same", synced_at=NOW), action("untold", note="told")
    )
    found = compare(there, here)
    assert ids(found.same) == ["same"]
    assert ids(found.missing) == ["missing"]
    assert ids(found.stale) == ["stale", "untold"]
    assert sorted(ids(found.here)) == ["stale", "untold"]
    assert ids(found.differing) == ["missing", "stale", "untold"]
    assert found.differences("7") == [
        Difference("7", "missing", Kind.MISSING, OLD),
        Difference("7", "stale", Kind.STALE, OLD, (Cell("note", "old", "new"),)),
        Difference("7", "untold", Kind.STALE, OLD, (Cell("note", "told", None),)),
    ]


@pytest.mark.usefixtures("tokyo")
def test_values_are_shown_as_people_write_them() -> None:
    """Money without trailing zeros, instants in UTC with `Z`; a column that one side lacks is empty there."""
    there = table(action("a", payout=Decimal("1200.50"), locking_date=NOW, note="x")).append_column(
        "sub", pa.array(["new"])
    )
    here = table(action("a", payout=Decimal("1E+3"), locking_date=NOW - DAY)).append_column("own", pa.array(["mine"]))
    (one,) = compare(there, here).differences("7")
    assert {(cell.column, cell.here, cell.there) for cell in one.cells} == {
        ("payout", "1000", "1200.5"),
        ("locking_date", "2026-02-28T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("note", None, "x"),
        ("sub", None, "new"),
        ("own", "mine", None),
    }


def test_a_row_that_is_held_twice_is_stale() -> None:
    """Every sum over it is wrong, though each of its copies is right."""
    found = compare(table(action("a"), action("b")), table(action("a"), action("b"), action("a")))
    assert (ids(found.same), ids(found.stale), ids(found.here)) == (["b"], ["a"], ["a", "a"])
    assert found.differences("7") == [Difference("7", "a", Kind.STALE, OLD, (Cell("id", "2 rows", "1 row"),))]


@pytest.mark.parametrize("here", [None, table()])
def test_everything_is_missing_in_an_empty_warehouse(here: pa.Table | None) -> None:
    """What was never loaded is missing, and nothing is stale."""
    found = compare(table(action("a"), action("b", event_date=None)), here)
    assert (ids(found.same), ids(found.missing), ids(found.stale)) == ([], ["a", "b"], [])
    assert [(one.kind, one.month(UTC)) for one in found.differences("7")] == [
        (Kind.MISSING, "2025-11"),
        (Kind.MISSING, None),
    ]
    nothing = compare(table(), table(action("a")))
    assert (ids(nothing.same), ids(nothing.missing), ids(nothing.stale)) == ([], [], [])


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu"])
def test_a_month_is_counted_as_a_difference_in_it_is_called(zone: str) -> None:
    """The last and the first instant of a month, in the account's time zone, whatever the year."""
    zoned = ZoneInfo(zone)
    for year, month in ((2026, 2), (2026, 11), (2025, 4), (9999, 12)):
        first = start_of(date(year, month, 1), zoned)
        rows = table(action("a", event_date=first - timedelta(microseconds=1)), action("b", event_date=first))
        found = {one.month(zoned): 1 for one in compare(rows, None).differences("7")}
        assert months(rows, zoned) == found
        assert list(found) == [f"{year}-{month - 1:02}", f"{year}-{month:02}"]


def test_rows_are_counted_by_the_month_of_their_event() -> None:
    """A row without an event has none."""
    rows = table(
        action("a", event_date=datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        action("b", event_date=datetime(2026, 2, 1, tzinfo=UTC)),
        action("c", event_date=datetime(2026, 2, 28, tzinfo=UTC)),
        action("d", event_date=None),
    )
    assert months(rows, ZoneInfo("UTC")) == {"2026-01": 1, "2026-02": 2, None: 1}
    assert ids(only(rows, ["d", "b", "x"])) == ["b", "d"]
    assert ids(only(rows, [])) == []

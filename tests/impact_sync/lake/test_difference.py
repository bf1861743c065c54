"""What of an account is written to the lake, decided by keys and hashes: the small cases that a figure depends on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from impact_sync.lake.place import Lake
from impact_sync.lake.publish import publish
from impact_sync.lake.rows import HASH, Difference, Shape

from tests.support.account import Account
from tests.support.lake import assert_published

Make = Callable[..., Account]
SHAPE = Shape("actions", ("id",), pa.schema([("id", pa.string()), ("state", pa.string()), ("note", pa.string())]))


def compare(
    connection: duckdb.DuckDBPyConnection, before: list[dict[str, str | None]], after: list[dict[str, str | None]]
) -> Difference:
    """The difference of two states of one account's table, the first of which was published."""

    def rows(of: list[dict[str, str | None]]) -> pa.RecordBatchReader:
        return pa.Table.from_pylist(of, schema=SHAPE.columns).to_reader()

    nothing = pa.schema([("id", pa.string()), (HASH, pa.int64())]).empty_table().to_reader()
    first = Difference(connection, SHAPE, lambda: rows(before), nothing, whole=False)
    there = first.rows("acme").read_all().select(["id", HASH]).to_reader()
    return Difference(connection, SHAPE, lambda: rows(after), there, whole=False)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("x", "y"), ("y", "x")),
        (("x", "x"), ("y", "y")),
        (("x", None), (None, "x")),
        (("x", None), ("x", "")),
        (("", None), (None, "")),
    ],
)
def test_values_that_trade_places_are_a_change(
    before: tuple[str | None, str | None], after: tuple[str | None, str | None]
) -> None:
    """Rows differ by which column holds which value, not by their set of values; empty is not NULL."""
    then, now = ({"id": "1", "state": state, "note": note} for state, note in (before, after))
    with duckdb.connect() as connection:
        difference = compare(connection, [then], [now])
        assert (difference.changed, difference.gone) == (1, 0)
        assert difference.rows("acme").read_all().select(SHAPE.columns.names).to_pylist() == [now]
        assert compare(connection, [then], [then]).changed == 0


def test_a_row_that_is_gone_is_a_key_to_delete() -> None:
    """For a row that is no longer held, the lake gets only the key, marked as gone."""
    kept, gone = ({"id": id_, "state": "PENDING", "note": None} for id_ in ("1", "2"))
    with duckdb.connect() as connection:
        difference = compare(connection, [kept, gone], [kept])
        assert (difference.here, difference.held, difference.changed, difference.gone) == (1, 2, 0, 1)
        (row,) = difference.rows("acme").read_all().to_pylist()
        assert (row["account"], row["id"], row["state"], row["_gone"]) == ("acme", "2", None, True)


def test_a_column_that_is_new_and_empty_changes_no_row() -> None:
    """A field that the API has added is no reason to rewrite every row of three years."""
    row = {"id": "1", "state": "PENDING", "note": None}
    wider = Shape(SHAPE.name, SHAPE.key, SHAPE.columns.append(pa.field("new", pa.string())))
    with duckdb.connect() as connection:
        there = compare(connection, [], [row]).rows("acme").read_all().select(["id", HASH])
        for value, changed in ((None, 0), ("told", 1)):
            now = pa.Table.from_pylist([row | {"new": value}], schema=wider.columns)
            difference = Difference(connection, wider, now.to_reader, there.to_reader(), whole=False)
            assert difference.changed == changed


def test_a_removal_alone_is_published(account: Make, tmp_path: Path) -> None:
    """If a table only lost rows since the last time, they leave the lake."""
    world, lake = account(days=1, per_day=0), Lake(str(tmp_path / "lake"), "acme")
    kept, gone = world.world.create(), world.world.create()
    world.sync(history=False)
    publish(lake)
    with world.changing() as warehouse:
        warehouse.execute("delete from actions where id = ?", [gone])
    written = {one.table: one for one in publish(lake)}
    assert (written["actions"].rows, written["actions"].written, written["actions"].removed) == (1, 0, 1)
    assert DeltaTable(lake.table("actions")).to_pyarrow_table()["id"].to_pylist() == [kept]
    assert_published(world.path, lake)


def test_what_vouches_for_the_rows_comes_after_them(account: Make, tmp_path: Path) -> None:
    """An interrupted publish never says that the lake is as of an instant whose rows are missing."""
    world, lake = account(days=1, per_day=2), Lake(str(tmp_path / "lake"), "acme")
    world.sync()
    tables = [one.table for one in publish(lake)]
    assert set(tables[-2:]) == {"sync_runs", "sync_windows"}
    assert {"actions", "action_history", "item_fetches"} < set(tables[:-2])
    commits = {name: DeltaTable(lake.table(name)).history(1)[0]["timestamp"] for name in tables}
    assert max(commits[name] for name in tables[:-2]) <= min(commits[name] for name in tables[-2:])
    assert DeltaTable(lake.table("publications")).history(1)[0]["timestamp"] >= max(commits.values())

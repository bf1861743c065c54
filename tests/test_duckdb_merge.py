"""How files land in DuckDB: in one step, each key once, within little memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import duckdb_merge
from pipelines.duckdb_merge import merge_sql
from tests.conftest import Account

Make = Callable[..., Account]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS: Any = {
    "name": "items",
    "write_disposition": "merge",
    "columns": {
        "action": {"name": "action", "data_type": "text", "merge_key": True, "primary_key": True},
        "sku": {"name": "sku", "data_type": "text", "primary_key": True},
        "price": {"name": "price", "data_type": "bigint"},
        "read_at": {"name": "read_at", "data_type": "timestamp", "dedup_sort": "desc"},
        "removed": {"name": "removed", "data_type": "bool", "hard_delete": True},
    },
}
Row = tuple[str, str, int, int, bool | None]
"""Action, sku, price, hours after `NOW`, removed."""


@pytest.fixture
def held() -> duckdb.DuckDBPyConnection:
    """A warehouse with two actions' items."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute("create table items (action text, sku text, price int, read_at timestamptz, removed bool)")
    connection.execute("insert into items values ('a', 'x', 1, null, null), ('a', 'y', 1, null, null)")
    connection.execute("insert into items values ('b', 'x', 1, null, null)")
    return connection


def write(path: Path, *rows: Row, **extra: int) -> str:
    """A file of a load package."""
    path.parent.mkdir(exist_ok=True)
    names = ("action", "sku", "price", "read_at", "removed")
    found = [(a, s, p, NOW + timedelta(hours=h), r) for a, s, p, h, r in rows]
    table = pa.table(dict(zip(names, map(list, zip(*found, strict=True)), strict=True)))
    for name, value in extra.items():
        table = table.append_column(name, pa.array([value] * len(rows)))
    pq.write_table(table, path)
    return str(path)


def merged(held: duckdb.DuckDBPyConnection, table: Any, *paths: str) -> list[tuple[Any, ...]]:  # noqa: ANN401 - dlt's
    """What the table holds after the files were merged."""
    for statement in merge_sql(held, table, "items", paths):
        held.execute(statement)
    return held.execute("select action, sku, price from items order by all").fetchall()


def test_all_items_of_an_action_are_replaced(held: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """What arrives replaces all rows of its merge key, and leaves those of others."""
    path = write(tmp_path / "1.parquet", ("a", "z", 2, 0, None))
    assert merged(held, ITEMS, path) == [("a", "z", 2), ("b", "x", 1)]


def test_of_one_key_the_latest_stays_whatever_file_it_is_in(held: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Several files of a package are one: the row that was read last wins, and one marked as removed goes."""
    first = write(tmp_path / "1.parquet", ("a", "x", 3, 2, None), ("a", "y", 2, 1, None))
    then = write(tmp_path / "2.parquet", ("a", "x", 2, 1, None), ("a", "y", 3, 2, True))
    assert merged(held, ITEMS, first, then) == [("a", "x", 3), ("b", "x", 1)]


def test_a_column_that_is_new_in_a_later_file_is_kept(held: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A field that shows up amid a package is empty in the rows before it."""
    held.execute("alter table items add column extra int")
    paths = [
        write(tmp_path / "1.parquet", ("c", "x", 1, 0, None)),
        write(tmp_path / "2.parquet", ("d", "x", 1, 0, None), extra=7),
    ]
    merged(held, ITEMS, *paths)
    assert held.execute("select action, extra from items where action > 'b' order by 1").fetchall() == [
        ("c", None),
        ("d", 7),
    ]


def test_rows_are_appended_where_the_table_says_so(held: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A ledger keeps what it has."""
    path = write(tmp_path / "1.parquet", ("a", "x", 1, 0, None))
    assert merged(held, ITEMS | {"write_disposition": "append"}, path).count(("a", "x", 1)) == 2


@pytest.mark.parametrize("folder", ["[ab]", "a*", "it's; drop", "100%s"])
def test_a_folder_may_have_any_name(held: duckdb.DuckDBPyConnection, tmp_path: Path, folder: str) -> None:
    """Signs that mean something to DuckDB mean nothing in the path of the working folder."""
    write(tmp_path / "ab" / "1.parquet", ("b", "x", 9, 0, None))
    path = write(tmp_path / folder / "1.parquet", ("a", "z", 2, 0, None))
    assert merged(held, ITEMS, path) == [("a", "z", 2), ("b", "x", 1)]


def test_a_load_that_needs_more_memory_gets_it(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads are held to little memory; one for which that is too little lands all the same."""
    monkeypatch.setattr(duckdb_merge, "_MEMORY", "1MB")
    one = account(days=20, per_day=100)
    one.first_sync()
    one.assert_true()

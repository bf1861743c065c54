"""How files land in DuckDB: in one step, each key once, with little memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.common.storages.load_package import ParsedLoadJobFileName
from impact_sync.warehouse.duckdb import merge as duckdb_merge
from impact_sync.warehouse.duckdb.merge import merge_request, merge_sql, transaction

from tests.support.account import Account

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
LITTLE = ("1MB", "-1")
"""Memory that is too little, then all."""
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
    """A field that appears within a package is empty in the rows before it."""
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
    """An append-only table keeps its rows."""
    path = write(tmp_path / "1.parquet", ("a", "x", 1, 0, None))
    assert merged(held, ITEMS | {"write_disposition": "append"}, path).count(("a", "x", 1)) == 2


@pytest.mark.parametrize("folder", ["[ab]", "a*", "it's; drop", "100%s"])
def test_a_folder_may_have_any_name(held: duckdb.DuckDBPyConnection, tmp_path: Path, folder: str) -> None:
    """Characters with a meaning in DuckDB have none in the path of the working folder."""
    write(tmp_path / "ab" / "1.parquet", ("b", "x", 9, 0, None))
    path = write(tmp_path / folder / "1.parquet", ("a", "z", 2, 0, None))
    assert merged(held, ITEMS, path) == [("a", "z", 2), ("b", "x", 1)]


def test_a_row_that_says_when_it_was_read_wins(held: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """If one of two rows of a key has no instant, the other is the later one."""
    path = write(tmp_path / "1.parquet", ("a", "x", 1, 0, None), ("a", "x", 3, 2, None), ("a", "x", 2, 1, None))
    empty = pq.read_table(path).slice(0, 1).set_column(3, "read_at", pa.nulls(1, pa.timestamp("us", "UTC")))
    pq.write_table(empty, tmp_path / "2.parquet")
    assert merged(held, ITEMS, path, str(tmp_path / "2.parquet")) == [("a", "x", 3), ("b", "x", 1)]


def test_without_hints_a_key_is_there_once(held: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A table whose rows replace only rows with the same key keeps the others, and one of the arriving rows per key."""
    names = ("action", "sku")
    columns = {name: {"name": name, "data_type": "text", "primary_key": True} for name in names}
    path = write(tmp_path / "1.parquet", ("a", "x", 7, 0, True), ("a", "x", 7, 1, None), ("c", "z", 2, 0, None))
    plain = ITEMS | {"columns": columns | {"price": {"name": "price", "data_type": "bigint"}}}
    assert merged(held, plain, path) == [("a", "x", 7), ("a", "y", 1), ("b", "x", 1), ("c", "z", 2)]


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    """A field whose name has quotes, or is an SQL keyword, is a column like any other."""
    key, removed, read = 'the "key"', "select", "order"
    table: Any = {
        "write_disposition": "merge",
        "columns": {
            key: {"name": key, "data_type": "text", "primary_key": True},
            removed: {"name": removed, "data_type": "bool", "hard_delete": True},
            read: {"name": read, "data_type": "bigint", "dedup_sort": "asc"},
        },
    }
    path = str(tmp_path / "1.parquet")
    pq.write_table(pa.table({key: ["a", "a", "b"], removed: [None, None, True], read: [1, 2, 1]}), path)
    connection = duckdb.connect()
    connection.execute('create table held ("the ""key""" text, "select" bool, "order" bigint)')
    connection.execute("insert into held values ('a', null, 9), ('b', null, 9), ('c', null, 9)")
    for statement in merge_sql(connection, table, "held", [path]):
        connection.execute(statement)
    assert connection.execute("from held order by 1").fetchall() == [("a", None, 1), ("c", None, 9)]


def test_the_file_that_completes_a_table_lies_elsewhere_before(held: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """When the statements are built, the package's last file is still in progress, and it is moved before they run."""
    started, completed = tmp_path / "started_jobs", tmp_path / "completed_jobs"
    first = write(completed / "1.parquet", ("a", "x", 2, 1, None))
    write(started / "2.parquet", ("a", "x", 3, 2, None))
    request = merge_request(held, ITEMS, "items", [first, str(completed / "2.parquet")])
    (started / "2.parquet").rename(completed / "2.parquet")
    file = Path(request.new_file_path())
    assert ParsedLoadJobFileName.parse(file.name)[0::3] == ("items", "sql")
    transaction(held, file.read_text(encoding="utf-8"))
    assert held.execute("select action, sku, price from items order by all").fetchall() == [
        ("a", "x", 3),
        ("b", "x", 1),
    ]


def limit(connection: duckdb.DuckDBPyConnection) -> tuple[Any, ...] | None:
    """How much memory it may use."""
    return connection.execute("select current_setting('memory_limit')").fetchone()


def test_statements_land_together_or_not_at_all(held: duckdb.DuckDBPyConnection) -> None:
    """What fails midway leaves nothing behind, and no memory limit for later users of the file."""
    before = limit(held)
    with pytest.raises(duckdb.CatalogException):
        transaction(held, "delete from items; insert into nothing values (1)")
    assert held.execute("select count(*) from items").fetchone() == (3,)
    assert limit(held) == before
    transaction(held, "delete from items; insert into items values ('a', 'x', 1, null, null)")
    assert held.execute("select count(*) from items").fetchone() == (1,)
    assert limit(held) == before


@pytest.mark.parametrize("usual", ["-1", "7.77 GB"])
def test_the_memory_limit_is_set_back_however_duckdb_shows_it(held: duckdb.DuckDBPyConnection, usual: str) -> None:
    """A warehouse opened without a limit, which DuckDB shows as 16383.9 PiB and does not accept, merges like others."""
    held.execute(f"set memory_limit = '{usual}'")
    before = limit(held)
    for _ in range(3):
        transaction(held, "delete from items where sku = 'y'")
        assert limit(held) == before
    assert held.execute("select count(*) from items").fetchone() == (2,)


def test_statements_are_held_to_little_memory_and_get_more_if_they_need_it(
    held: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits uses little memory; what does not is still done, once."""
    before = limit(held)
    transaction(held, "create table seen as select current_setting('memory_limit') as most")
    assert held.execute("from seen").fetchone() == ("106.8 MiB",)
    many = "create table much as select range as n, repeat('x', 100) as t from range(200000) order by n"
    monkeypatch.setattr(duckdb_merge, "_MEMORY", LITTLE)
    transaction(held, many)
    assert held.execute("select count(*), count(distinct n) from much").fetchone() == (200_000, 200_000)
    assert limit(held) == before


@pytest.mark.parametrize("memory", [LITTLE, ("1MB", *LITTLE)])
def test_a_load_that_needs_more_memory_gets_it(
    account: Make, memory: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads run with little memory; one for which that is too little still lands, what it replaces as well."""
    monkeypatch.setattr(duckdb_merge, "_MEMORY", memory)
    one = account(days=20, per_day=100)
    one.sync()
    one.world.advance(days=7)
    one.sync()
    one.assert_true()


def test_a_load_that_cannot_be_done_in_memory_says_so(
    held: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it lands, and DuckDB's reason is what is raised."""
    monkeypatch.setattr(duckdb_merge, "_MEMORY", ("1MB", "1MB"))
    with pytest.raises(duckdb.OutOfMemoryException, match="memory"):
        transaction(
            held, "delete from items; create table much as select repeat('x', 100) from range(200000) order by 1"
        )
    assert held.execute("select count(*) from items").fetchone() == (3,)

"""Compares orders with actions in a temporary DuckDB file, which holds what does not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
from impact_source.dialect import literal, quote
from impact_source.errors import ConfigurationError
from impact_source.warehouse import Warehouse

from ..tabular import MACROS
from ..warehouse.duckdb.merge import UNLIMITED
from .columns import LINES

_FOLDER = files(__package__)
_ITEM_STATE = pa.schema([("action_id", pa.string()), ("items", pa.string())])
_SHOWN = 10
_MEMORY = "300MB"
"""What a million orders and as many actions need; more than that goes to the disk."""
IGNORABLE = ("case", "blanks", "zeros")


@dataclass(frozen=True)
class Normalised:
    """What does not count when ids are compared; by default everything counts."""

    ignored: frozenset[str] = frozenset()
    prefix: str = ""
    """A text that some ids begin with."""

    @property
    def sql(self) -> str:
        """The body of the macro that makes an id `t` comparable."""
        text, prefix = "t", self.prefix
        if "blanks" in self.ignored:
            text, prefix = f"without_blanks({text})", "".join(prefix.split())
        if "case" in self.ignored:
            text, prefix = f"lower({text})", prefix.lower()
        if prefix:
            text = f"regexp_replace({text}, '^' || regexp_escape({literal(prefix)}), '')"
        return f"ltrim({text}, '0')" if "zeros" in self.ignored else text


@contextmanager
def workplace(normalised: Normalised) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with empty tables, for one comparison."""
    with TemporaryDirectory(prefix="impact-reconcile-") as folder, duckdb.connect() as connection:
        # Without a log beside it, a file that has no name any more vanishes with the process, however that ends.
        file = Path(folder) / "compare.duckdb"
        connection.execute(f"attach {literal(str(file))} as compared (recovery_mode no_wal_writes); use compared")
        if os.name == "posix":
            file.unlink()
        settings = {"memory_limit": _MEMORY, "threads": "2", "temp_directory": folder, "timezone": "UTC"}
        for name, value in settings.items():
            connection.execute(f"set {name} = {literal(value)}")
        connection.execute("set preserve_insertion_order = false; set enable_progress_bar = false")
        connection.execute(MACROS)
        connection.execute(text("macros.sql"))
        connection.execute(f"create macro as_key(t) as {normalised.sql}")
        connection.execute(text("tables.sql"))
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, table: str, batches: Iterable[pa.RecordBatch | pa.Table]) -> None:
    """Insert rows into a table whose columns have their names."""
    for batch in batches:
        rows = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        connection.register("incoming", rows)
        connection.execute(f"insert into {table} by name select * from incoming")
        connection.unregister("incoming")


def take_actions(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    """Copy the actions, as far as they are compared, and which of them the API no longer knows."""
    wanted = [row[0] for row in connection.execute("from (describe actions) select column_name").fetchall()]
    known = warehouse.columns("actions")  # one that never had a value may be missing
    stream = warehouse.stream("actions", warehouse.schema("actions", [name for name in wanted if name in known]))
    fill(connection, "actions", stream)
    fill(connection, "gone", [pa.table({"action_id": pa.array([*warehouse.gone()], pa.string())})])


def take_previous(connection: duckdb.DuckDBPyConnection, unsettled: pa.Table) -> None:
    """Copy what earlier reconciliations left."""
    columns = ", ".join(f"{quote(field.name)} {field.type}" for field in LINES)
    connection.execute(f"create table previous ({columns})")
    fill(connection, "previous", [unsettled])


def read_orders(connection: duckdb.DuckDBPyConnection, time_zone: str) -> None:
    """Read the values of orders and items; times without an offset are in the time zone.

    Raises `ConfigurationError` that lists those that cannot be read.
    """
    connection.execute(f"set timezone = {literal(time_zone)}")
    execute(connection, "orders.sql")
    connection.execute("set timezone = 'UTC'")
    found = connection.execute(text("unreadable.sql")).fetchall()
    if found:
        listed = "; ".join(f"line {line} of the {given}: {problem}" for given, line, problem in found[:_SHOWN])
        more = f"; and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        msg = f"{len(found):,} rows cannot be read, and nothing was compared: {listed}{more}"
        raise ConfigurationError(msg)
    connection.execute("drop table given_orders; drop table given_items")


def unknown_statuses(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many of the given orders have a status that nothing maps, by status."""
    sql = """
    select any_value(g.status), count(*) from given_orders g
    where g.status is not null and as_word(g.status) not in (select theirs from statuses)
    group by as_word(g.status) order by 2 desc
    """
    return {str(status): int(count) for status, count in connection.execute(sql).fetchall()}


def match(connection: duckdb.DuckDBPyConnection) -> None:
    """Match orders with actions, and find what is systematic."""
    for name in ("match.sql", "systematic.sql"):
        execute(connection, name)


def take_items(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    """Copy the items of the actions of partly returned orders, and which of them are current."""
    ids = connection.execute("select distinct action_id from partly").to_arrow_table()["action_id"]
    found = warehouse.lookup("action_items", "action_id", ids)
    if found is None:
        return
    wanted = [row[0] for row in connection.execute("from (describe held_items) select column_name").fetchall()]
    fill(connection, "held_items", [found.select([name for name in wanted if name in found.column_names])])
    for batch in warehouse.stream("item_state", _ITEM_STATE):
        connection.register("incoming", pa.Table.from_batches([batch]))
        connection.execute(
            "insert into current_items select action_id from incoming "
            "where items = 'current' and action_id in (select action_id from partly)"
        )


def find(connection: duckdb.DuckDBPyConnection) -> None:
    """Find the differences, and what has become of those that were found before."""
    for name in ("items.sql", "found.sql", "since_last.sql"):
        execute(connection, name)


def execute(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Execute the statements of a file beside this module, with more memory where one cannot do without."""
    for statement in connection.extract_statements(text(name)):
        try:
            connection.execute(statement)
        except duckdb.OutOfMemoryException:
            connection.execute(f"set memory_limit = '{UNLIMITED}'")
            connection.execute(statement)
            connection.execute(f"set memory_limit = '{_MEMORY}'")


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Rows of a query or of a file of one, by column."""
    found = text(sql) if sql.endswith(".sql") else sql
    return list(connection.execute(found).to_arrow_table().to_pylist())


def set_scope(
    connection: duckdb.DuckDBPyConnection,
    as_of: dict[str, datetime],
    reach: datetime | None,
    bounds: Sequence[datetime | None],
    *,
    referred: bool,
) -> None:
    """Set what is asked: the latest `as_of`, how far back the warehouse goes, since, until."""
    connection.execute(
        "insert into asked values (?, ?, ?, ?, ?)", [max(as_of.values()), reach, *bounds, referred or None]
    )
    connection.executemany("insert into campaigns values (?, ?)", list(as_of.items()))


def text(name: str) -> str:
    """The SQL of a file beside this module."""
    return _FOLDER.joinpath(name).read_text()

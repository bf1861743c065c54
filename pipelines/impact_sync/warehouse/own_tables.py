"""Tables of ours that dlt does not load, written in transactions, in SQL that DuckDB and Postgres share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pyarrow as pa
from dlt.destinations.sql_client import SqlClientBase
from impact_source.dialect import literal, quote
from impact_source.rows.columns import MONEY as ARROW_MONEY
from impact_source.rows.columns import TIME as ARROW_TIME

TEXT, MONEY, COUNT, TIME, FLAG = "text", "decimal(20, 8)", "bigint", "timestamptz", "boolean"
_ARROW: Final = {TEXT: pa.string(), MONEY: ARROW_MONEY, COUNT: pa.int64(), TIME: ARROW_TIME, FLAG: pa.bool_()}
_ROWS_A_STATEMENT = 100
_INCOMING = "impact_incoming"


@dataclass(frozen=True)
class Field:
    """One column of a table."""

    name: str
    type: str
    description: str


def arrow_schema(fields: Sequence[Field]) -> pa.Schema:
    """The columns as Arrow has them."""
    return pa.schema([(field.name, _ARROW[field.type]) for field in fields])


def create(client: SqlClientBase[Any], table: str, fields: Sequence[Field]) -> None:
    """Create a table, given by its full name, unless it exists; describe its columns."""
    columns = ", ".join(f"{quote(field.name)} {field.type}" for field in fields)
    client.execute_sql(f"create table if not exists {table} ({columns})")
    for field in fields:
        column = f"{table}.{quote(field.name)}"
        client.execute_sql(f"comment on column {column} is {literal(field.description)}")


def insert(client: SqlClientBase[Any], table: str, rows: pa.Table) -> None:
    """Insert rows; their columns are named as those of the table."""
    columns = ", ".join(map(quote, rows.column_names))
    if client.capabilities.sqlglot_dialect == "duckdb":  # thousands of parameters would take seconds
        client.native_connection.register(_INCOMING, rows)
        try:
            client.execute_sql(f"insert into {table} ({columns}) select {columns} from {_INCOMING}")
        finally:
            client.native_connection.unregister(_INCOMING)
        return
    one, coming = f"({', '.join(['%s'] * rows.num_columns)})", _tuples(rows)
    while some := list(islice(coming, _ROWS_A_STATEMENT)):
        listed = ", ".join([one] * len(some))
        values = [value for row in some for value in row]
        client.execute_sql(f"insert into {table} ({columns}) values {listed}", *values)


def _tuples(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in rows.to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

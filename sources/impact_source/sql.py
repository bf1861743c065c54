"""The one way to query a warehouse, any SQL destination of dlt: DuckDB's dialect, over tables by their bare names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, overload

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.destinations.sql_client import SqlClientBase
from typing_extensions import override

from .rows.columns import MONEY, TIME
from .statements import Statements

_IDS_A_QUERY = 20_000
_ROWS_A_BATCH = 4_096
_WANTED = "impact_wanted"
_STREAM = "impact_stream"
_TYPES = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "timestamp": TIME,
    "bool": pa.bool_(),
    "double": pa.float64(),
    "date": pa.date32(),
}


class Tables(Statements):
    """The tables that a dlt pipeline has loaded so far; none before its first load."""

    def __init__(self, pipeline: dlt.Pipeline, schema: str = "impact", *, emptied: bool = False) -> None:
        """`emptied`: the current load package drops or truncates the tables, which are still full until then."""
        super().__init__(pipeline, schema)
        self._emptied = emptied
        self._known: dict[str, set[str]] = {}
        self._filled: dict[str, bool] = {}

    @override
    def refresh(self) -> None:
        """Read the schema again: a load may have changed it."""
        super().refresh()
        self._known.clear()
        self._filled.clear()

    def holds(self, table: str = "actions", column: str | None = None) -> bool:
        """Whether the table, or a column of it, exists."""
        columns = self.columns(table)
        return bool(columns) if column is None else column in columns

    def any(self, table: str) -> bool:
        """Whether the table exists and has a row, as of the last `refresh`."""
        if table not in self._filled:
            self._filled[table] = self.holds(table) and bool(self.rows(f"select 1 from {table} limit 1"))
        return self._filled[table]

    def columns(self, table: str) -> set[str]:
        """Our columns of a table; none if it does not exist."""
        if self._emptied:
            return set()
        if not self._known and self._schema in self._pipeline.schemas:
            tables = self._pipeline.schemas[self._schema].data_tables(seen_data_only=True)
            self._known = {str(t["name"]): {str(c) for c in t["columns"] if not c.startswith("_dlt")} for t in tables}
        return self._known.get(table, set())

    def lookup(self, table: str, key: str, values: pa.ChunkedArray) -> pa.Table | None:
        """The rows of a table whose `key` is one of `values`; None if there are none."""
        if not self.holds(table) or not len(values):
            return None
        wanted = pc.unique(values)
        found = [
            self._among(table, key, wanted[start : start + _IDS_A_QUERY])
            for start in range(0, len(wanted), _IDS_A_QUERY)
        ]
        rows = pa.concat_tables(found, promote_options="default")
        # Columns that somebody else added are not ours to read.
        known = self.columns(table)
        ours = [name for name in rows.column_names if name in known]
        return rows.select(ours) if len(rows) else None

    def arrow(self, sql: str, wanted: pa.Schema, *params: Any) -> pa.Table:  # noqa: ANN401 - whatever SQL takes
        """The result of a query, with those of the `wanted` columns that it has; `%s` for each parameter."""
        with self._client as client:
            found = fetch_arrow(client, self.render(sql), *params)
        return found.cast(pa.schema([wanted.field(name) for name in found.column_names]))

    def schema(self, table: str, columns: Sequence[str]) -> pa.Schema:
        """Columns of a table, with the types that they were declared with."""
        hints = self._hints(table)
        return pa.schema([(name, _arrow_type(hints[name]) or pa.string()) for name in columns])

    def stream(self, table: str, columns: pa.Schema) -> pa.RecordBatchReader:
        """All rows of a table, with columns as `schema` gives them, read on demand."""
        sql = f"select {', '.join(map(self.column, columns.names))} from {self.name(table)}"

        def batches() -> Iterator[pa.RecordBatch]:
            for rows in self._in_parts(sql):
                yield from rows.cast(columns).to_batches()

        return pa.RecordBatchReader.from_batches(columns, batches())

    def _in_parts(self, sql: str) -> Iterator[pa.Table]:
        """The rows of a query, some at a time: Postgres' driver would hold all of them, unless the server does."""
        if self.dialect == "postgres":
            with self.transaction() as client:
                client.execute_sql(f"declare {_STREAM} no scroll cursor for {sql}")
                while len(rows := fetch_arrow(client, f"fetch {_ROWS_A_BATCH} from {_STREAM}")):
                    yield rows
            return
        with self._client as client, client.execute_query(sql) as cursor:
            yield from cursor.iter_arrow(chunk_size=_ROWS_A_BATCH)

    def _among(self, table: str, key: str, values: pa.Array) -> pa.Table:
        """The rows of a table whose `key` is one of some 20,000 `values`."""
        name = self.name(table)
        sql = f"select * from {name} where {key} in"
        with self._client as client:
            if self.dialect == "duckdb":  # it takes longer to read so many literals than to find the rows
                client.native_connection.register(_WANTED, pa.table({"value": values}))
                # In two steps: otherwise every column of a large table is read, not only the key.
                rows = f"select rowid from {name} where {key} in (select value from {_WANTED})"
                try:
                    return fetch_arrow(client, f"select * from {name} where rowid in ({rows})")
                finally:
                    client.native_connection.unregister(_WANTED)
            listed = ", ".join(map(self.literal, values.to_pylist()))
            return self._typed(table, fetch_arrow(client, f"{sql} ({listed})"))

    def _typed(self, table: str, rows: pa.Table) -> pa.Table:
        """Rows with the declared types of their columns; a driver picks types by the values at hand."""
        hints = self._hints(table)
        for place, field in enumerate(rows.schema):
            wanted = _arrow_type(hints.get(field.name, {}))
            if wanted is not None and field.type != wanted:
                rows = rows.set_column(place, field.with_type(wanted), rows[field.name].cast(wanted))
        return rows

    def _hints(self, table: str) -> Any:  # noqa: ANN401 - dlt's columns
        return self._pipeline.schemas[self._schema].get_table_columns(table)


def fetch_arrow(client: SqlClientBase[Any], sql: str, *params: Any) -> pa.Table:  # noqa: ANN401 - whatever SQL takes
    """The result of a query on an open client as Arrow."""
    with client.execute_query(sql, *params) as cursor:
        found: Any = cursor.arrow()
        return found if isinstance(found, pa.Table) else found.read_all()


@overload
def in_utc(moment: datetime) -> datetime: ...
@overload
def in_utc(moment: None) -> None: ...
def in_utc(moment: datetime | None) -> datetime | None:
    """An instant from a warehouse, in UTC; some return it without its zone."""
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _arrow_type(hint: Any) -> pa.DataType | None:  # noqa: ANN401 - dlt's column
    """The Arrow type of a column with this hint; None for types that we do not declare."""
    if hint.get("data_type") == "decimal":
        return pa.decimal128(hint.get("precision") or MONEY.precision, hint.get("scale") or MONEY.scale)
    return _TYPES.get(hint.get("data_type"))

"""What the source asks of the warehouse that it loads into. Read only, plain SQL, any SQL destination of dlt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from dlt.destinations.sql_client import SqlClientBase

from .plan.axis import Axis
from .plan.gone import Gone
from .plan.windows import Counts, Window
from .rows.columns import MONEY, TIME
from .rows.diff import REVERSED

_IDS_A_QUERY = 20_000
_ROWS_A_BATCH = 50_000
_WANTED = "impact_wanted"
_OF_TABLE = re.compile(r"\b(from|join)\s+(\w+)\b")
_COLUMNS = {Axis.LOCKING: "locking_date", Axis.EVENT: "event_date"}
"""The dates that a row tells; nothing in it tells when it was last updated."""


@dataclass(frozen=True)
class Refused:
    """A record that could not be typed: the action it is, if it said, and the window that held it.

    `again` is whether it is to be asked for again.
    """

    action_id: str | None
    pass_: str
    start: datetime | None
    end: datetime | None
    again: bool = True


class Warehouse:
    """The actions that a dlt pipeline has landed so far; empty before its first load."""

    def __init__(self, pipeline: dlt.Pipeline, schema: str = "impact", *, emptied: bool = False) -> None:
        """`emptied`: the load package at hand drops or truncates the tables, which are still full meanwhile."""
        self._pipeline = pipeline
        self._emptied = emptied
        self._schema = schema
        # Making a client or reading the schema costs dlt tens of milliseconds, a page's worth of work.
        self._sql: SqlClientBase[Any] | None = None
        self._known: dict[str, set[str]] = {}
        self._filled: dict[str, bool] = {}

    def refresh(self) -> None:
        """Look at the schema anew: a load may have changed it."""
        self._known.clear()
        self._filled.clear()
        self._sql = None

    @property
    def takes_nul(self) -> bool:
        """Whether a text can have a NUL in it: in DuckDB it can, elsewhere that is not relied upon."""
        return self._client().capabilities.sqlglot_dialect == "duckdb"

    def holds(self, table: str = "actions", column: str | None = None) -> bool:
        """Whether the table, or a column of it, is there."""
        columns = self._columns(table)
        return bool(columns) if column is None else column in columns

    def campaigns(self) -> set[str]:
        """Ids of the campaigns that actions are held of."""
        if not self.holds():
            return set()
        return {row[0] for row in self.rows(f"select distinct campaign_id from {self._table()}")}

    def campaign_names(self) -> dict[str, str]:
        """Names, by id, of the campaigns that were ever listed or that actions are held of."""
        names = {}
        if self.holds():
            sql = (
                f"select campaign_id, max(campaign_name) from {self._table()} where campaign_id is not null group by 1"
            )
            names = dict(self.rows(sql))
        if self.holds("campaigns"):
            names |= dict(self.rows(f"select id, name from {self._table('campaigns')}"))
        return {str(id_): str(name or "") for id_, name in names.items()}

    def is_empty_rightly(self, campaign_id: str) -> bool:
        """Whether a campaign of which no actions are held has none: its windows were read and held nothing."""
        if not self.holds("sync_windows"):
            return False
        received = self._client().escape_column_name("rows")
        sql = f"select count(*), coalesce(sum({received}), 0) from {self._table('sync_windows')} where campaign_id = %s"
        ((windows, rows),) = self.rows(sql, campaign_id)
        return bool(windows) and (not rows or bool(self.rejected(campaign_id)))

    def read_windows(self, campaign_id: str) -> list[Window]:
        """The windows of the updated pass that were received completely."""
        if not self.holds("sync_windows"):
            return []
        sql = (
            f"select window_start, window_end from {self._table('sync_windows')} where campaign_id = %s "
            "and pass = 'updated' and outcome in ('whole', 'parted') and event_start is null"
        )
        bounds = ((_utc(start), _utc(end)) for start, end in self.rows(sql, campaign_id))
        return [Window(start, end) for start, end in bounds if start and end]

    def furthest_lock(self, campaign_id: str) -> datetime | None:
        """The latest LockingDate of a campaign's actions."""
        if not self.holds():
            return None
        sql = f"select max(locking_date) from {self._table()} where campaign_id = %s"
        return _utc(self.rows(sql, campaign_id)[0][0])

    def latest_run(self) -> datetime | None:
        """When the last run ended, by its own clock."""
        if not self.holds("sync_runs"):
            return None
        return _utc(self.rows(f"select max(finished) from {self._table('sync_runs')}")[0][0])

    def uncleared_locks(self, campaign_id: str, start: datetime, end: datetime) -> list[datetime]:
        """The distinct LockingDates from `start` up to before `end` of actions that are not cleared or reversed."""
        if not self.holds():
            return []
        sql = (
            f"select distinct locking_date from {self._table()} where campaign_id = %s and locking_date >= %s "
            "and locking_date < %s and cleared_date is null and (state is null or state <> %s)"
        )
        rows = self.rows(sql, campaign_id, start, end, REVERSED)
        return [moment for row in rows if (moment := _utc(row[0]))]

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:
        """How many actions of a campaign lie at each instant of a date, within these windows of dates held here."""
        if axis not in _COLUMNS or not self.holds():
            return []
        column = _COLUMNS[axis]
        where, params = _within(campaign_id, windows)
        where += f" and {column} is not null"
        sql = f"select {column}, count(*) from {self._table()} where {where} group by 1 order by 1"
        return [(moment, count) for at, count in self.rows(sql, *params) if (moment := _utc(at))]

    def open_actions(self, campaign_id: str, locked: datetime, lookback: datetime) -> dict[str, datetime | None]:
        """EventDate by id of the actions that can still change.

        They are not cleared, and lock at no known time, or after `locked`, which is what the run before has seen, or
        locked since `lookback` and are not reversed.
        """
        if not self.holds():
            return {}
        sql = (
            f"select id, event_date from {self._table()} where campaign_id = %s and cleared_date is null and "
            "(locking_date is null or locking_date > %s or "
            "(locking_date >= %s and (state is null or state <> %s)))"
        )
        rows = self.rows(sql, campaign_id, locked, lookback, REVERSED)
        return {row[0]: _utc(row[1]) for row in rows}

    def gone(self, campaign_id: str | None = None) -> dict[str, Gone]:
        """Actions, of one campaign or of all, that the API did not know when last asked, by id."""
        if not self.holds("verify_results"):
            return {}
        table = self._table("verify_results")
        where, params = ("and g.campaign_id = %s", [campaign_id]) if campaign_id is not None else ("", [])
        sql = (
            "select g.action_id, min(g.found_at), max(g.found_at), max(case when g.repaired then 1 else 0 end) "
            f"from {table} g left join (select action_id, max(found_at) as at from {table} where finding = 'back' "
            "group by action_id) b on b.action_id = g.action_id "
            f"where g.finding = 'gone' {where} and (b.at is null or g.found_at > b.at) group by g.action_id"
        )
        found = {}
        for id_, first, last, acknowledged in self.rows(sql, *params):
            if (since := _utc(first)) and (until := _utc(last)):
                found[id_] = Gone(since, until, bool(acknowledged))
        return found

    def rejected(self, campaign_id: str) -> dict[str, Refused]:
        """Records of a campaign's actions that could not be typed, by their key."""
        if not self.holds("rejected_records"):
            return {}
        again = "ask_again" if "ask_again" in self._columns("rejected_records") else "true"  # not in older warehouses
        sql = (
            f"select id, action_id, pass, window_start, window_end, coalesce({again}, true) "
            f"from {self._table('rejected_records')} where campaign_id = %s and (pass is null or pass <> 'items')"
        )
        return {
            key: Refused(action_id, pass_, _utc(start), _utc(end), bool(again))
            for key, action_id, pass_, start, end, again in self.rows(sql, campaign_id)
        }

    def long_locked(self, campaign_id: str, after: datetime, before: datetime) -> tuple[str, datetime] | None:
        """Id and LockingDate of an action that locked between two instants and was not touched after the second."""
        if not self.holds():
            return None
        sql = (
            f"select id, locking_date from {self._table()} where campaign_id = %s and locking_date > %s and "
            "locking_date < %s and creation_date < %s and (cleared_date is null or cleared_date < %s) "
            "order by locking_date desc, id limit 1"
        )
        rows = self.rows(sql, campaign_id, after, before, before, before)
        lock = _utc(rows[0][1]) if rows else None
        return (rows[0][0], lock) if lock else None

    def actions(self, ids: pa.ChunkedArray) -> pa.Table | None:
        """The rows of those of `ids` that are held, None where there are none."""
        return self.lookup("actions", "id", ids)

    def lookup(self, table: str, key: str, values: pa.ChunkedArray) -> pa.Table | None:
        """The rows of a table whose `key` is one of `values`, None where there are none."""
        if not self.holds(table) or not len(values):
            return None
        wanted = pc.unique(values)
        found = [
            self._among(table, key, wanted[start : start + _IDS_A_QUERY])
            for start in range(0, len(wanted), _IDS_A_QUERY)
        ]
        rows = pa.concat_tables(found, promote_options="default")
        # Columns that somebody else added are theirs.
        known = self._columns(table)
        ours = [name for name in rows.column_names if name in known]
        return rows.select(ours) if len(rows) else None

    def _among(self, table: str, key: str, values: pa.Array) -> pa.Table:
        """The rows of a table whose `key` is one of some 20,000 `values`."""
        sql = f"select * from {self._table(table)} where {key} in"
        with self._client() as client:
            if client.capabilities.sqlglot_dialect == "duckdb":  # so many literals take it longer to read than to find
                client.native_connection.register(_WANTED, pa.table({"value": values}))
                try:
                    return _arrow(client, f"{sql} (select value from {_WANTED})")
                finally:
                    client.native_connection.unregister(_WANTED)
            quote = client.capabilities.escape_literal
            listed = ", ".join(str(quote(value)) for value in values.to_pylist())
            return self._typed(table, _arrow(client, f"{sql} ({listed})"))

    def _typed(self, table: str, rows: pa.Table) -> pa.Table:
        """Rows with the types that their columns were declared with; a driver's are what the values happen to need."""
        hints = self._pipeline.schemas[self._schema].get_table_columns(table)
        for place, field in enumerate(rows.schema):
            wanted = _arrow_type(hints.get(field.name, {}))
            if wanted is not None and field.type != wanted:
                rows = rows.set_column(place, field.with_type(wanted), rows[field.name].cast(wanted))
        return rows

    def schema(self, table: str, columns: Sequence[str]) -> pa.Schema:
        """Columns of a table with the types that they were declared with."""
        hints = self._pipeline.schemas[self._schema].get_table_columns(table)
        return pa.schema([(name, _arrow_type(hints[name]) or pa.string()) for name in columns])

    def stream(self, table: str, columns: pa.Schema) -> pa.RecordBatchReader:
        """All rows of a table, columns as `schema` tells them, read as they are asked for."""

        def batches() -> Iterator[pa.RecordBatch]:
            with self._client() as client:
                names = ", ".join(map(client.escape_column_name, columns.names))
                with client.execute_query(f"select {names} from {self._table(table)}") as cursor:
                    for rows in cursor.iter_arrow(chunk_size=_ROWS_A_BATCH):
                        yield from rows.cast(columns).to_batches()

        return pa.RecordBatchReader.from_batches(columns, batches())

    def any(self, table: str) -> bool:
        """Whether the table is there and has a row, as of the last `refresh`."""
        if table not in self._filled:
            held = self.holds(table) and self.rows(f"select 1 from {self._table(table)} limit 1")
            self._filled[table] = bool(held)
        return self._filled[table]

    def render(self, sql: str) -> str:
        """A query over our tables by their bare names, in DuckDB's dialect, as this warehouse takes it."""
        client = self._client()
        if client.capabilities.sqlglot_dialect != "duckdb":
            return render(sql, client)
        # Only names have to be written out; parsing for that would take longer than most queries.
        return _OF_TABLE.sub(
            lambda found: f"{found[1]} {self._table(found[2])}" if self.holds(found[2]) else found[0], sql
        )

    def _client(self) -> SqlClientBase[Any]:
        if self._sql is None:
            known = self._schema in self._pipeline.schemas
            self._sql = self._pipeline.sql_client(self._schema) if known else self._pipeline.sql_client()
        return self._sql

    def _columns(self, table: str) -> set[str]:
        """Our columns of a table that is there; none if it is not."""
        if self._emptied:
            return set()
        if not self._known and self._schema in self._pipeline.schemas:
            tables = self._pipeline.schemas[self._schema].data_tables(seen_data_only=True)
            self._known = {str(t["name"]): {str(c) for c in t["columns"] if not c.startswith("_dlt")} for t in tables}
        return self._known.get(table, set())

    def _table(self, name: str = "actions") -> str:
        return self._client().make_qualified_table_name(name)

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        """Rows of a query in the warehouse's dialect, `%s` for each parameter."""
        with self._client() as client:
            return [tuple(row) for row in client.execute_sql(sql, *params) or []]


def _arrow_type(hint: Any) -> pa.DataType | None:  # noqa: ANN401 - dlt's column
    """The type that a column of this hint has in Arrow; None where we declare no such columns."""
    if hint.get("data_type") == "decimal":
        return pa.decimal128(hint.get("precision") or MONEY.precision, hint.get("scale") or MONEY.scale)
    plain = {"text": pa.string(), "bigint": pa.int64(), "timestamp": TIME, "bool": pa.bool_(), "double": pa.float64()}
    return plain.get(hint.get("data_type"))


def _arrow(client: SqlClientBase[Any], sql: str) -> pa.Table:
    with client.execute_query(sql) as cursor:
        found: Any = cursor.arrow()
        return found if isinstance(found, pa.Table) else found.read_all()


def render(sql: str, client: SqlClientBase[Any]) -> str:
    """A query over tables by their bare names, in DuckDB's dialect, as the client's warehouse takes it."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    dialect = client.capabilities.sqlglot_dialect
    local = {cte.alias for cte in query.find_all(sqlglot.exp.CTE)}
    for table in list(query.find_all(sqlglot.exp.Table)):
        if table.name not in local:
            qualified = sqlglot.exp.to_table(client.make_qualified_table_name(table.name), dialect=dialect)
            table.replace(sqlglot.exp.alias_(qualified, table.alias_or_name, table=True))
    return query.sql(dialect=dialect)


def _within(campaign_id: str, windows: dict[Axis, Window]) -> tuple[str, list[Any]]:
    where = "campaign_id = %s"
    params: list[Any] = [campaign_id]
    for axis, window in windows.items():
        if axis in _COLUMNS:
            where += f" and {_COLUMNS[axis]} >= %s and {_COLUMNS[axis]} <= %s"
            params += [window.start, window.end]
    return where, params


def _utc(moment: Any) -> datetime | None:  # noqa: ANN401 - drivers return datetimes of several kinds
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)  # type: ignore[no-any-return]

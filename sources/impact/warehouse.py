"""What the source asks of the warehouse that it loads into. Read only, plain SQL, any SQL destination of dlt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc

from sources.impact.changes import REVERSED

_IDS_A_QUERY = 20_000


class Warehouse:
    """The actions that a dlt pipeline has landed so far; empty before its first load."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._pipeline = pipeline

    def holds(self, table: str = "actions") -> bool:
        """Whether the table is there."""
        schemas = self._pipeline.schemas
        name = self._pipeline.default_schema_name
        if name is None or name not in schemas:
            return False
        return table in {t["name"] for t in schemas[name].data_tables(seen_data_only=True)}

    def campaigns(self) -> set[str]:
        """Ids of the campaigns that actions are held of."""
        if not self.holds():
            return set()
        return {row[0] for row in self._rows(f"select distinct campaign_id from {self._table()}")}

    def furthest_lock(self, campaign_id: str) -> datetime | None:
        """The latest LockingDate of a campaign's actions."""
        if not self.holds():
            return None
        sql = f"select max(locking_date) from {self._table()} where campaign_id = %s"
        return _utc(self._rows(sql, campaign_id)[0][0])

    def uncleared_locks(self, campaign_id: str, start: datetime, end: datetime) -> list[datetime]:
        """The distinct LockingDates from `start` up to before `end` of actions that are not cleared or reversed."""
        if not self.holds():
            return []
        sql = (
            f"select distinct locking_date from {self._table()} where campaign_id = %s and locking_date >= %s "
            "and locking_date < %s and cleared_date is null and (state is null or state <> %s)"
        )
        rows = self._rows(sql, campaign_id, start, end, REVERSED)
        return [moment for row in rows if (moment := _utc(row[0]))]

    def actions(self, ids: pa.ChunkedArray) -> pa.Table | None:
        """The rows of those of `ids` that are held, None where there are none."""
        if not self.holds() or not len(ids):
            return None
        quote = self._pipeline.destination_client().capabilities.escape_literal
        found: list[pa.Table] = []
        values = pc.unique(ids).to_pylist()
        for start in range(0, len(values), _IDS_A_QUERY):
            listed = ", ".join(str(quote(value)) for value in values[start : start + _IDS_A_QUERY])
            found.append(self._arrow(f"select * from {self._table()} where id in ({listed})"))
        table = pa.concat_tables(found, promote_options="default")
        return table if len(table) else None

    def _table(self, name: str = "actions") -> str:
        with self._pipeline.sql_client() as client:
            return client.make_qualified_table_name(name)

    def _rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        with self._pipeline.sql_client() as client:
            return [tuple(row) for row in client.execute_sql(sql, *params) or []]

    def _arrow(self, sql: str) -> pa.Table:
        with self._pipeline.sql_client() as client, client.execute_query(sql) as cursor:
            found: Any = cursor.arrow()
            return found if isinstance(found, pa.Table) else found.read_all()


def _utc(moment: Any) -> datetime | None:  # noqa: ANN401 - drivers return datetimes of several kinds
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)  # type: ignore[no-any-return]

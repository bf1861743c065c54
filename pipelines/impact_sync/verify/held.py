"""What `impact verify` asks of the warehouse. Read only; created for each run, which looks up the tables once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import dlt
import pyarrow as pa
from impact_source.api.protocol import Axis
from impact_source.plan.gone import Gone
from impact_source.plan.splitting import Counts
from impact_source.plan.windows import Window
from impact_source.warehouse import Warehouse


class Held:
    """The actions of a warehouse, by id, by campaign and by EventDate."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._warehouse = Warehouse(pipeline)
        self._tables = {"actions"} if self._warehouse.holds() else set()
        self._client = pipeline.sql_client()

    @property
    def any(self) -> bool:
        """Whether there is a table of actions at all."""
        return "actions" in self._tables

    def campaigns(self) -> set[str]:
        """Ids of the campaigns that actions are held of."""
        return self._warehouse.campaigns()

    def actions(self, ids: pa.ChunkedArray) -> pa.Table | None:
        """The rows of those of `ids` that are held, None where there are none."""
        return self._warehouse.actions(ids) if self.any and len(ids) else None

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:
        """How many actions of a campaign lie at each instant of a date, within these windows of dates held here."""
        return self._warehouse.counts(campaign_id, axis, windows)

    def between(
        self, campaign_id: str, start: datetime, end: datetime | None, *, start_too: bool
    ) -> list[tuple[str, datetime]]:
        """Id and EventDate of the actions after `start` (or at it, with `start_too`) up to and at `end`, if given."""
        sql = f"select id, event_date from {{t}} where campaign_id = %s and event_date {'>=' if start_too else '>'} %s"
        params: list[Any] = [campaign_id, start]
        if end is not None:
            sql += " and event_date <= %s"
            params.append(end)
        return [(row[0], _utc(row[1])) for row in self._query("actions", sql, *params)]

    def earliest(self, campaign_id: str) -> datetime | None:
        """The first EventDate of a campaign's actions."""
        rows = self._query("actions", "select min(event_date) from {t} where campaign_id = %s", campaign_id)
        return _utc(rows[0][0]) if rows and rows[0][0] else None

    def unverifiable(self, campaigns: Collection[str], earliest: datetime, *, strays: bool) -> int:
        """How many actions of these campaigns happened before `earliest`, or at no known time.

        With `strays` those of any other campaign are counted too.
        """
        listed = ", ".join(["%s"] * len(campaigns)) or "null"
        old = "event_date is null or event_date < %s"
        sql = f"select count(*) from {{t}} where (campaign_id in ({listed}) and ({old}))"
        params = [*campaigns, earliest]
        if strays:
            sql += f" or campaign_id is null or campaign_id not in ({listed})"
            params += campaigns
        rows = self._query("actions", sql, *params)
        return int(rows[0][0]) if rows else 0

    def gone(self) -> dict[str, Gone]:
        """Actions that the API did not know when last asked, by id."""
        return self._warehouse.gone()

    def _query(self, table: str, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        if table not in self._tables:
            return []
        with self._client as client:
            text = sql.format(t=client.make_qualified_table_name(table))
            return [tuple(row) for row in client.execute_sql(text, *params) or []]


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

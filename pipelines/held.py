"""What `impact verify` asks of the warehouse besides the rows themselves. Read only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import dlt

from sources.impact.warehouse import Warehouse


class Held:
    """The actions of a warehouse, by campaign and EventDate."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._pipeline = pipeline
        self._warehouse = Warehouse(pipeline)

    def between(
        self, campaign_id: str, start: datetime, end: datetime | None, *, start_too: bool
    ) -> list[tuple[str, datetime]]:
        """Id and EventDate of the actions after `start` (or at it, with `start_too`) up to and at `end`, if given."""
        if not self._warehouse.holds():
            return []
        sql = f"select id, event_date from {{t}} where campaign_id = %s and event_date {'>=' if start_too else '>'} %s"
        params: list[Any] = [campaign_id, start]
        if end is not None:
            sql += " and event_date <= %s"
            params.append(end)
        return [(row[0], _utc(row[1])) for row in self._query("actions", sql, *params)]

    def earliest(self, campaign_id: str) -> datetime | None:
        """The first EventDate of a campaign's actions."""
        if not self._warehouse.holds():
            return None
        rows = self._query("actions", "select min(event_date) from {t} where campaign_id = %s", campaign_id)
        return _utc(rows[0][0]) if rows[0][0] else None

    def unverifiable(self, campaigns: Collection[str], earliest: datetime, *, strays: bool) -> int:
        """How many actions of these campaigns the API tells nothing of any more, or that have no EventDate.

        With `strays` those of any other campaign are counted too.
        """
        if not self._warehouse.holds():
            return 0
        listed = ", ".join(["%s"] * len(campaigns)) or "null"
        sql = (
            f"select count(*) from {{t}} where (campaign_id in ({listed}) and (event_date is null or event_date < %s))"
        )
        params = [*campaigns, earliest]
        if strays:
            sql += f" or campaign_id is null or campaign_id not in ({listed})"
            params += campaigns
        return int(self._query("actions", sql, *params)[0][0])

    def acknowledged(self) -> set[str]:
        """Ids of the actions that an earlier `--repair` took note of as gone at the source."""
        if not self._warehouse.holds("verify_results"):
            return set()
        sql = "select distinct action_id from {t} where finding = %s and repaired"
        return {row[0] for row in self._query("verify_results", sql, "gone")}

    def _query(self, table: str, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        with self._pipeline.sql_client() as client:
            text = sql.format(t=client.make_qualified_table_name(table))
            return [tuple(row) for row in client.execute_sql(text, *params) or []]


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

"""What `impact verify` reads from the warehouse. Read only; created for each run, which looks up the tables once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import dlt
import pyarrow as pa
from impact_source.plan.axis import Axis
from impact_source.plan.gone import Gone
from impact_source.plan.windows import Counts, Window
from impact_source.sql import in_utc
from impact_source.warehouse import DATED, Warehouse


class Held:
    """The actions of a warehouse, by id, by campaign and by EventDate."""

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._warehouse = Warehouse(pipeline)
        self.any = self._warehouse.holds()
        """Whether the table of actions existed."""

    def campaigns(self) -> set[str]:
        """Ids of the campaigns whose actions are held."""
        return self._warehouse.campaigns()

    def actions(self, ids: pa.ChunkedArray) -> pa.Table | None:
        """The rows held with these `ids`; None if there are none."""
        return self._warehouse.actions(ids) if self.any else None

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:
        """How many of a campaign's actions lie at each instant of a date, within these windows of dates held here."""
        return self._warehouse.counts(campaign_id, axis, windows)

    def between(self, campaign_id: str, start: datetime, end: datetime | None, *, start_too: bool) -> pa.Table:
        """`id` and `event_date` of actions after `start` (or at it, with `start_too`) up to and at `end`, if given."""
        after = ">=" if start_too else ">"
        sql = f"select id, event_date from actions where campaign_id = %s and event_date {after} %s"
        params: list[Any] = [campaign_id, start]
        if end is not None:
            sql += " and event_date <= %s"
            params.append(end)
        return self._warehouse.arrow(sql, DATED, *params) if self.any else DATED.empty_table()

    def earliest(self, campaign_id: str) -> datetime | None:
        """The first EventDate of a campaign's actions."""
        rows = self._rows("select min(event_date) from actions where campaign_id = %s", campaign_id)
        return in_utc(rows[0][0]) if rows else None

    def unverifiable(self, campaigns: Collection[str], earliest: datetime, *, strays: bool) -> int:
        """How many actions of these campaigns happened before `earliest`, or at no known time.

        With `strays`, those of any other campaign count too.
        """
        listed = ", ".join(["%s"] * len(campaigns)) or "null"
        old = "event_date is null or event_date < %s"
        sql = f"select count(*) from actions where (campaign_id in ({listed}) and ({old}))"
        params = [*campaigns, earliest]
        if strays:
            sql += f" or campaign_id is null or campaign_id not in ({listed})"
            params += campaigns
        rows = self._rows(sql, *params)
        return int(rows[0][0]) if rows else 0

    def gone(self) -> dict[str, Gone]:
        """Actions that the API did not know when last asked, by id."""
        return self._warehouse.gone()

    def _rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever SQL takes
        return self._warehouse.rows(sql, *params) if self.any else []

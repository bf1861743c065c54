"""The part of the warehouse that a report covers, and the views' own SQL over it, as of now or of an instant.

A query names a view in plain SQL; the SQL of that view and of those beneath it is added to the query. So a report needs
no view to exist, and the same SQL shows what is settled now and what was known at an earlier instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, overload
from zoneinfo import ZoneInfo

import dlt
from impact_source.dialect import instant, literal
from impact_source.errors import ConfigurationError
from impact_source.parsing import in_zone
from impact_source.sql import in_utc
from impact_source.warehouse import Warehouse

from ..views import available, localize, reads, zone_of

_RUNS = "join sync_runs r"
_HISTORY = "action_history"


@dataclass(frozen=True)
class Scope:
    """Conversions of these campaigns (all if none is named) with an event not before `since`."""

    campaigns: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def within(self) -> str:
        """The condition that a row with a `campaign_id` and an `event_date` is in scope."""
        since = f" and event_date >= {instant(self.since)}" if self.since else ""
        return self.of_campaigns + since

    @property
    def of_campaigns(self) -> str:
        """The condition that a row with a `campaign_id` belongs to its campaigns."""
        return f"campaign_id in ({', '.join(map(literal, self.campaigns))})" if self.campaigns else "1 = 1"


class Books:
    """Queries over the views; `settlement`, and what is built on it, is limited to the scope."""

    def __init__(self, pipeline: dlt.Pipeline, scope: Scope) -> None:
        self.pipeline, self.scope = pipeline, scope
        account = zone_of(pipeline)
        self.zone = ZoneInfo(account.name)
        """Whose days, weeks and months the views count in."""
        self.zone_unknown = bool(account.problem)
        """Whether that is UTC for want of another."""
        self._views = available(pipeline)
        self.warehouse = Warehouse(pipeline)
        if _HISTORY in self._views:  # as of an instant, others read other rows under the name of the table
            table = self.warehouse.name("actions")
            self._views[_HISTORY] = self._views[_HISTORY].replace("from actions", f"from {table}")

    def check(self) -> None:
        """Raise `ConfigurationError` if a named campaign is not in the warehouse."""
        known = {row[0] for row in self.rows("select id from campaigns")} if self.holds("campaigns") else set()
        known |= self.warehouse.campaigns()
        if wrong := [one for one in self.scope.campaigns if one not in known]:
            msg = (
                f"campaign {', '.join(wrong)} is not in the warehouse; it has {', '.join(sorted(known)) or 'none yet'}"
            )
            raise ConfigurationError(msg)

    def holds(self, name: str) -> bool:
        """Whether the table exists, or those that the view is built on."""
        return name in self._views or self.warehouse.holds(name)

    def rows(self, query: str, at: datetime | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query in DuckDB's dialect; with `at`, as the warehouse would have answered it at that instant."""
        query = localize(query, self.zone.key)
        views = ", ".join(self._with(query, at))
        return self.warehouse.rows(f"with {views} {query}" if views else query)

    @overload
    def local(self, moment: datetime) -> datetime: ...
    @overload
    def local(self, moment: None) -> None: ...
    def local(self, moment: datetime | None) -> datetime | None:
        """An instant from the warehouse, as the clocks of the account's time zone show it."""
        return None if moment is None else in_zone(in_utc(moment), self.zone)

    def _with(self, query: str, at: datetime | None) -> Iterator[str]:
        """The views that a query needs, each after those beneath it."""
        needed, found = set(), list(reads(query))
        while found:
            name = found.pop()
            if name in self._views and name not in needed:
                needed.add(name)
                found += reads(self._views[name])
        if at and "settlement" in needed:
            yield f"actions as (select * from ({self._views[_HISTORY]}) h where {known(at)})"
        for name, text in self._views.items():
            if name not in needed:
                continue
            if name == "synced_until" and at:
                told = f"join (select * from sync_runs where least(until, started) <= {instant(at)}) r"
                text = text.replace(_RUNS, told)  # noqa: PLW2901
            if name == "settlement":
                yield f"settled as ({text})"
                text = f"select * from settled where {self.scope.within}"  # noqa: PLW2901
            yield f"{name} as ({text})"


def known(at: datetime) -> str:
    """The condition that a version was current at an instant."""
    return f"valid_from <= {instant(at)} and (valid_to is null or valid_to > {instant(at)})"

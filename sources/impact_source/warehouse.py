"""What the source reads from the warehouse that it loads into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from .plan.axis import Axis
from .plan.gone import Gone
from .plan.windows import Counts, Window
from .rows.columns import TIME
from .rows.diff import REVERSED
from .settings import REFERENCE
from .sql import Tables, in_utc

DATED = pa.schema([("id", pa.string()), ("event_date", TIME)])
"""Actions with their EventDate."""
_COLUMNS = {Axis.LOCKING: "locking_date", Axis.EVENT: "event_date"}
"""The dates in a row; none of them says when it was last updated."""
_OTHER = ", ".join(f"'{name}'" for name in ("items", "feed", *REFERENCE))
"""What a record that could not be typed was read as if it was not an action."""
_READ = """
select window_start, window_end from sync_windows
where campaign_id = %s and pass = 'updated' and outcome in ('whole', 'parted') and event_start is null
"""
_UNCLEARED = """
select distinct locking_date from actions
where campaign_id = %s and locking_date >= %s and locking_date < %s and cleared_date is null
    and (state is null or state <> %s)
"""
_OPEN = """
select id, event_date from actions
where campaign_id = %s and cleared_date is null
    and (locking_date is null or locking_date > %s or (locking_date >= %s and (state is null or state <> %s)))
"""
_LONG_LOCKED = """
select id, locking_date from actions
where campaign_id = %s and locking_date > %s and locking_date < %s and creation_date < %s
    and (cleared_date is null or cleared_date < %s)
order by locking_date desc, id limit 1
"""
_GONE = """
select g.action_id, min(g.found_at), max(g.found_at), max(case when g.repaired then 1 else 0 end)
from verify_results g
left join (
    select action_id, max(found_at) as at from verify_results where finding = 'back' group by action_id
) b on b.action_id = g.action_id
where g.finding = 'gone' and (b.at is null or g.found_at > b.at) {campaign}
group by g.action_id
"""


@dataclass(frozen=True)
class Refused:
    """A record that could not be typed: its action's id, if it has one, and the window that held it.

    `again` is whether to request it again.
    """

    action_id: str | None
    pass_: str
    start: datetime | None
    end: datetime | None
    again: bool = True


class Warehouse(Tables):
    """The actions that a dlt pipeline has loaded so far, and what earlier runs recorded about reading them."""

    def campaigns(self) -> set[str]:
        """Ids of the campaigns whose actions are held."""
        return {row[0] for row in self.rows("select distinct campaign_id from actions")} if self.holds() else set()

    def campaign_names(self) -> dict[str, str]:
        """Names, by id, of the campaigns that were ever listed or whose actions are held."""
        names = {}
        if self.holds():
            held = "select campaign_id, max(campaign_name) from actions where campaign_id is not null group by 1"
            names = dict(self.rows(held))
        if self.holds("campaigns"):
            names |= dict(self.rows("select id, name from campaigns"))
        return {str(id_): str(name or "") for id_, name in names.items()}

    def is_empty_rightly(self, campaign_id: str) -> bool:
        """Whether a campaign without actions here has none: its windows were read and held nothing."""
        if not self.holds("sync_windows"):
            return False
        sql = """
        select count(*), coalesce(sum("rows"), 0) from sync_windows where campaign_id = %s and pass <> 'feed'
        """
        ((windows, rows),) = self.rows(sql, campaign_id)
        return bool(windows) and (not rows or bool(self.rejected(campaign_id)))

    def read_windows(self, campaign_id: str) -> list[Window]:
        """The windows of the updated pass that were received completely."""
        bounds = self.rows(_READ, campaign_id) if self.holds("sync_windows") else []
        return [Window(in_utc(start), in_utc(end)) for start, end in bounds if start and end]

    def furthest_lock(self, campaign_id: str) -> datetime | None:
        """The latest LockingDate of a campaign's actions."""
        sql = "select max(locking_date) from actions where campaign_id = %s"
        return in_utc(self.rows(sql, campaign_id)[0][0]) if self.holds() else None

    def latest_run(self) -> datetime | None:
        """When the last run ended, by its own clock."""
        sql = "select max(finished) from sync_runs"
        return in_utc(self.rows(sql)[0][0]) if self.holds("sync_runs") else None

    def uncleared_locks(self, campaign_id: str, start: datetime, end: datetime) -> list[datetime]:
        """The distinct LockingDates, from `start` to before `end`, of actions that are neither cleared nor reversed."""
        rows = self.rows(_UNCLEARED, campaign_id, start, end, REVERSED) if self.holds() else []
        return [in_utc(moment) for (moment,) in rows]

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:
        """How many of a campaign's actions lie at each instant of a date, within these windows of dates held here."""
        if axis not in _COLUMNS or not self.holds():
            return []
        column = _COLUMNS[axis]
        where, params = _within(campaign_id, windows)
        sql = f"select {column}, count(*) from actions where {where} and {column} is not null group by 1 order by 1"
        return [(in_utc(at), count) for at, count in self.rows(sql, *params)]

    def open_actions(self, campaign_id: str, locked: datetime, lookback: datetime) -> dict[str, datetime | None]:
        """EventDate by id of the actions that can still change.

        They are not cleared. They lock at no known time, or after `locked`, which the previous run has seen; or they
        have locked since `lookback` and are not reversed.
        """
        if not self.holds():
            return {}
        rows = self.arrow(_OPEN, DATED, campaign_id, locked, lookback, REVERSED)
        return dict(zip(rows["id"].to_pylist(), rows["event_date"].to_pylist(), strict=True))

    def gone(self, campaign_id: str | None = None) -> dict[str, Gone]:
        """Actions, of one campaign or of all, that the API did not know when last asked, by id."""
        if not self.holds("verify_results"):
            return {}
        campaign, params = ("and g.campaign_id = %s", [campaign_id]) if campaign_id is not None else ("", [])
        rows = self.rows(_GONE.format(campaign=campaign), *params)
        return {
            id_: Gone(in_utc(first), in_utc(last), bool(acknowledged))
            for id_, first, last, acknowledged in rows
            if first and last
        }

    def rejected(self, campaign_id: str) -> dict[str, Refused]:
        """Records of a campaign's actions that could not be typed, by their key."""
        if not self.holds("rejected_records"):
            return {}
        again = "ask_again" if "ask_again" in self.columns("rejected_records") else "true"  # not in older warehouses
        sql = (
            f"select id, action_id, pass, window_start, window_end, coalesce({again}, true) "
            f"from rejected_records where campaign_id = %s and (pass is null or pass not in ({_OTHER}))"
        )
        return {
            key: Refused(action_id, pass_, in_utc(start), in_utc(end), bool(again))
            for key, action_id, pass_, start, end, again in self.rows(sql, campaign_id)
        }

    def long_locked(self, campaign_id: str, after: datetime, before: datetime) -> tuple[str, datetime] | None:
        """Id and LockingDate of an action that locked between two instants and was not written after the second."""
        rows = self.rows(_LONG_LOCKED, campaign_id, after, before, before, before) if self.holds() else []
        return next(((id_, in_utc(lock)) for id_, lock in rows), None)

    def actions(self, ids: pa.ChunkedArray) -> pa.Table | None:
        """The rows held with these `ids`; None if there are none."""
        return self.lookup("actions", "id", ids)


def _within(campaign_id: str, windows: dict[Axis, Window]) -> tuple[str, list[Any]]:
    where = "campaign_id = %s"
    params: list[Any] = [campaign_id]
    for axis, window in windows.items():
        if axis in _COLUMNS:
            where += f" and {_COLUMNS[axis]} >= %s and {_COLUMNS[axis]} <= %s"
            params += [window.start, window.end]
    return where, params

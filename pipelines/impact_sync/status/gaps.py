"""Checks that the windows of all runs adjoin, from the ledger alone: the proof that no range of time was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from impact_source.plan.cursors import Cursors, Mark
from impact_source.plan.passes import Pass
from impact_source.sql import Tables, in_utc

_ADJOIN = timedelta(milliseconds=1)
"""A window that was cut beside a crowded instant ends a millisecond before it, the API's finest precision."""
# A window vouches only for what existed when it was read: no later than its run's start and its until.
_READ = """
with read_whole as (
    select w.campaign_id, w.pass, w.window_start, r.started,
        least(w.window_end, r.until, r.started) as window_end
    from sync_windows w join sync_runs r on r.run_id = w.run_id
    where w.outcome in ('whole', 'parted') and w.event_start is null and w.pass in ('updated', 'locking', 'feed')
        and w.window_start <= r.until and w.window_start <= r.started
)
"""
_MARKS = {
    Pass.UPDATED: (Mark.UPDATED, Mark.BEGUN),
    Pass.LOCKING: (Mark.LOCKING, Mark.FOLLOWED),
    Pass.FEED: (Mark.FEED, Mark.FEED_BEGUN),
}
"""Up to where and from where a pass vouches."""
_HOLES = (
    _READ
    + """
select campaign_id, pass, reached, window_start
from (
    select campaign_id, pass, window_start,
        max(window_end) over (
            partition by campaign_id, pass order by window_start, window_end
            rows between unbounded preceding and 1 preceding
        ) as reached
    from read_whole
) reach
where window_start > reached
order by campaign_id, pass, reached
"""
)
_ENDS = (
    _READ
    + """
select campaign_id, pass, min(window_start), max(window_end), min(started) from read_whole group by campaign_id, pass
"""
)


@dataclass(frozen=True)
class Gap:
    """A range of a campaign's pass, up to its cursor, that no window held."""

    campaign_id: str
    pass_: str
    start: datetime
    end: datetime


def find_gaps(tables: Tables, state: Mapping[str, Any]) -> list[Gap]:
    """Ranges that the cursors vouch for but no window in `sync_windows` held; there should be none."""
    holes = [(c, p, in_utc(start), in_utc(end)) for c, p, start, end in tables.rows(_HOLES)]
    found = []
    for campaign_id, pass_, first, last, began in tables.rows(_ENDS):
        cursors = Cursors(
            {"campaigns": {campaign_id: dict(state.get("campaigns", {}).get(campaign_id, {}))}}, campaign_id
        )
        cursor, begun = map(cursors.get, _MARKS[pass_])
        if cursor is None:
            continue
        since = begun or in_utc(first)
        # The updated pass read what locked before the first run; the reach-back to it leaves holes on purpose.
        if pass_ == Pass.LOCKING:
            since = max(in_utc(first), begun or in_utc(began))
        mine = [(start, end) for c, p, start, end in holes if (c, p) == (campaign_id, pass_)]
        for start, end in [*mine, (in_utc(last), cursor)]:
            low, high = max(start, since), min(end, cursor)
            if high - low > _ADJOIN:
                found.append(Gap(campaign_id, pass_, low, high))
    return found

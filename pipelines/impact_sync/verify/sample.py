"""The sample of derived actions whose lists of items a verification reads, and what became of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from impact_source.actions.events import Outcome, WindowDone
from impact_source.items.queue import Queued, Status, state_sql
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.sql import in_utc
from impact_source.warehouse import Warehouse

_SAMPLE = 30
"""Actions of a campaign whose lists are requested: those derived latest, the newest and the oldest first."""
_DRAW = """
select action_id, campaign_id, fingerprint, event_date
from (
    select
        s.action_id, s.campaign_id, s.fingerprint, s.event_date,
        least(
            row_number() over (order by s.fetched_at desc, s.action_id),
            row_number() over (order by s.event_date desc, s.action_id),
            row_number() over (order by s.event_date, s.action_id)
        ) as place
    from ({state}) s
    where s.items = 'current' and s.known_by = 'feed' and s.campaign_id = %s
        and s.event_date >= %s and s.event_date <= %s
) drawn
order by place, action_id
limit %s
"""


@dataclass(frozen=True)
class Sampled:
    """A derived action that was drawn."""

    queued: Queued
    event_date: datetime


@dataclass(frozen=True)
class Sample:
    """How many actions of a campaign were drawn, and how many of their lists were read; `reason`: why not all."""

    campaign_id: str
    window: Window
    drawn: int
    read: int
    requests: int
    reason: str | None

    @property
    def done(self) -> WindowDone:
        """As `sync_windows` records it: what a verification covered of a campaign's items."""
        unread = self.drawn - self.read
        why = f"the items of {unread:,} of {self.drawn:,} sampled actions were not compared: {self.reason}"
        return WindowDone(
            Reading(self.campaign_id, Pass.ITEMS, self.window),
            Outcome.LEFT_OUT if unread else Outcome.COMPLETE,
            total=self.drawn,
            rows=self.read,
            requests=self.requests,
            reason=why if unread else None,
        )


def draw(warehouse: Warehouse, campaign_id: str, window: Window, but: Collection[str]) -> dict[str, Sampled]:
    """The sample of a campaign, of actions with their EventDate in a window, without some, by id."""
    rows = warehouse.rows(_DRAW.format(state=state_sql(warehouse)), campaign_id, window.start, window.end, _SAMPLE)
    return {
        id_: Sampled(Queued(id_, campaign, mark, Status.DERIVED), in_utc(at))
        for id_, campaign, mark, at in rows
        if id_ not in but
    }

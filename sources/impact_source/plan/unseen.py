"""Plans how to re-read actions that no window of a run returned, at the least cost. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from .passes import Bounds, Pass, Reading
from .windows import Window, gather


def plan_unseen(
    campaign_id: str,
    unseen: Mapping[str, datetime | None],
    count: Callable[[Window], int],
    bounds: Bounds,
    page_size: int,
) -> tuple[list[Reading], list[str]]:
    """Windows of the EventDate, and ids to read one by one, that re-read `unseen` (id -> EventDate) at the least cost.

    `count` returns how many actions are known to lie in a window: reading it costs their pages. Each dated action is in
    exactly one window: those of `gather` end after their last point, so an event at an end belongs to the next one.
    """
    dated = [event for event in unseen.values() if event and event >= bounds.earliest]
    readings = []
    single = dict(unseen)
    for window in gather(dated):
        inside = [id_ for id_, event in unseen.items() if event and window.start <= event < window.end]
        if len(inside) > max(1, -(-count(window) // page_size)):
            readings.append(Reading(campaign_id, Pass.UNSEEN, window))
            for id_ in inside:
                del single[id_]
    return readings, sorted(single)

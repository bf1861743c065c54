"""From cursors to windows: what each pass reads of a campaign, and where its cursor stands afterwards. Pure.

*updated* follows the last-updated date from its cursor to `until`. *locking* follows the LockingDate from its cursor,
past `until`, to the furthest one known, because approvals do not move last-updated and open actions change silently;
it reaches back to locked actions that were not cleared yet.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sources.impact.protocol import Axis
from sources.impact.settings import HISTORY_MAX, Settings
from sources.impact.windows import Window, cover, cut


class Pass(StrEnum):
    """The ways in which a campaign is read."""

    UPDATED = "updated"
    LOCKING = "locking"

    @property
    def axis(self) -> Axis:
        """The date that the pass walks along."""
        return {Pass.UPDATED: Axis.UPDATED, Pass.LOCKING: Axis.LOCKING}[self]


class Mark(StrEnum):
    """The instants that a campaign's state keeps."""

    UPDATED = "updated"
    """Cursor of the updated pass."""
    LOCKING = "locking"
    """Cursor of the locking pass."""
    RECHECKED = "rechecked"
    """When the locks to come were last re-read."""


@dataclass(frozen=True)
class Bounds:
    """What limits a run: its `until`, the server's `now`, and `since` if the user gave one."""

    now: datetime
    until: datetime
    since: datetime | None = None

    @property
    def earliest(self) -> datetime:
        """The furthest back that the API answers for."""
        return self.now - HISTORY_MAX


@dataclass(frozen=True)
class Reading:
    """One window to read; once it and all before it have landed, `marks` are moved to their instants."""

    campaign_id: str
    pass_: Pass
    window: Window
    marks: tuple[tuple[Mark, datetime], ...] = ()

    def part(self, window: Window, *, last: bool) -> Reading:
        """A part of this reading: its cursor moves no further than the part, its other marks as they can be."""
        position = Mark(self.pass_.value)
        marks = tuple(
            (mark, min(to, window.end) if mark is position else to)
            for mark, to in self.marks
            if last or mark is not Mark.RECHECKED
        )
        return replace(self, window=window, marks=marks)


class Cursors:
    """A campaign's marks in dlt's state, where they are ISO 8601 text."""

    def __init__(self, state: MutableMapping[str, Any], campaign_id: str) -> None:
        self._marks: dict[str, str] = state.setdefault("campaigns", {}).setdefault(campaign_id, {})

    def get(self, mark: Mark) -> datetime | None:
        """Where the mark stands, None before its first move."""
        text = self._marks.get(mark.value)
        return datetime.fromisoformat(text).astimezone(UTC) if text else None

    def move(self, mark: Mark, to: datetime) -> None:
        """Move a mark forward; it never goes back."""
        stands = self.get(mark)
        if stands is None or to > stands:
            self._marks[mark.value] = to.isoformat()


def is_first(cursors: Cursors, bounds: Bounds, settings: Settings) -> bool:
    """Whether this run reads all of a campaign by last-updated, from as far back as the API goes."""
    start = _updated_start(cursors, bounds, settings)
    return cursors.get(Mark.UPDATED) is None and start == bounds.earliest and _moves(cursors, bounds, settings)


def plan_updated(campaign_id: str, cursors: Cursors, bounds: Bounds, settings: Settings) -> list[Reading]:
    """Windows of the updated pass. The first of all sets the cursor of the locking pass to the run's now."""
    start = _updated_start(cursors, bounds, settings)
    if start > bounds.until:
        return []
    moves = _moves(cursors, bounds, settings)

    def marks(window: Window) -> tuple[tuple[Mark, datetime], ...]:
        if not moves:
            return ()
        to = (Mark.UPDATED, min(window.end, bounds.now))
        return (to,) if cursors.get(Mark.LOCKING) else (to, (Mark.LOCKING, bounds.now))

    return [Reading(campaign_id, Pass.UPDATED, w, marks(w)) for w in cut(start, bounds.until)]


def plan_locking(  # noqa: PLR0913 - one fact each
    campaign_id: str,
    cursors: Cursors,
    bounds: Bounds,
    settings: Settings,
    *,
    furthest: datetime | None,
    uncleared: Iterable[datetime],
) -> list[Reading]:
    """Windows of the locking pass, given the furthest LockingDate known and those of uncleared actions."""
    cursor = cursors.get(Mark.LOCKING)
    if cursor is None and bounds.since is None:
        return []
    usual = bounds.now if cursor is None else cursor - settings.overlap
    start = max(usual if bounds.since is None else bounds.since, bounds.earliest)
    rechecks = _recheck_is_due(cursors, bounds, settings)
    end = max(bounds.until, furthest or bounds.until) if rechecks else bounds.until
    if start > end:
        return []
    moves = cursor is not None and start <= cursor
    windows = cover((lock for lock in uncleared if lock >= bounds.earliest), start, end)
    readings = []
    for window in windows:
        marks: tuple[tuple[Mark, datetime], ...] = ()
        if moves and window.end >= start:
            marks = ((Mark.LOCKING, min(window.end, bounds.until, bounds.now)),)
        if moves and rechecks and window is windows[-1]:
            marks += ((Mark.RECHECKED, bounds.now),)
        readings.append(Reading(campaign_id, Pass.LOCKING, window, marks))
    return readings


def lookback_start(bounds: Bounds, settings: Settings) -> datetime:
    """The earliest LockingDate for which an uncleared action is still re-read."""
    return max(bounds.until - settings.clearing_lookback, bounds.earliest)


def _updated_start(cursors: Cursors, bounds: Bounds, settings: Settings) -> datetime:
    start = bounds.since or _usual_start(cursors, bounds, settings)
    return max(start, bounds.earliest)


def _usual_start(cursors: Cursors, bounds: Bounds, settings: Settings) -> datetime:
    cursor = cursors.get(Mark.UPDATED)
    usual = settings.start_date or bounds.earliest if cursor is None else cursor - settings.overlap
    return max(usual, bounds.earliest)


def _moves(cursors: Cursors, bounds: Bounds, settings: Settings) -> bool:
    """Whether the updated pass adjoins what was read before: else its cursor must stay."""
    reached = cursors.get(Mark.UPDATED) or _usual_start(cursors, bounds, settings)
    return _updated_start(cursors, bounds, settings) <= reached


def _recheck_is_due(cursors: Cursors, bounds: Bounds, settings: Settings) -> bool:
    last = cursors.get(Mark.RECHECKED)
    return last is None or bounds.now - last >= settings.recheck_interval

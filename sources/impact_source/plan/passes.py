"""From cursors to windows: what each pass reads of a campaign, and where its cursor stands afterwards. Pure.

*updated* follows the last-updated date from its cursor to `until`. *locking* follows the LockingDate from its cursor,
past `until`, to the furthest one known, because approvals do not move last-updated and open actions change silently; it
also reaches back to locked actions that are not cleared yet. *unseen* re-reads what can still change and was in none of
those windows: its LockingDate is empty, or has moved silently. *feed* follows the dates of
the changes that the change feed lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from typing_extensions import override

from ..settings import CLOCK_TOLERANCE, HISTORY_MAX, LATE, LOCK_MAX, Settings
from .axis import Axis
from .cursors import Cursors, Mark
from .windows import SECOND, Window, cover, cut

_BESIDE = timedelta(seconds=1)
"""The largest gap between neighbouring windows: the API filters no finer."""


class Pass(StrEnum):
    """The ways to read a campaign."""

    UPDATED = "updated"
    LOCKING = "locking"
    UNSEEN = "unseen"
    FEED = "feed"
    VERIFY = "verify"
    ITEMS = "items"
    """The lists of items that a verification reads of a sample of actions."""

    @property
    def axis(self) -> Axis:
        """The date that the pass walks along."""
        axes = {Pass.UPDATED: Axis.UPDATED, Pass.FEED: Axis.UPDATED, Pass.LOCKING: Axis.LOCKING}
        return axes.get(self, Axis.EVENT)


@dataclass(frozen=True)
class Bounds:
    """The limits of a run: its `until`, the server's `now`, and `since` if the user gave one."""

    now: datetime
    until: datetime
    since: datetime | None = None
    spent: timedelta = timedelta(0)
    """How long the run has been going on."""

    @property
    def earliest(self) -> datetime:
        """The earliest instant that the API still answers for."""
        return self.now + self.spent - HISTORY_MAX


@dataclass(frozen=True)
class Reading:
    """One window to read; once it and all before it have landed, `marks` move to their instants.

    `event`, `state` and `page_size` narrow or enlarge it if its own date cannot cut it further. `fresh` says that the
    previous run may not have seen what it returns.
    """

    campaign_id: str
    pass_: Pass
    window: Window
    marks: tuple[tuple[Mark, datetime], ...] = ()
    event: Window | None = None
    state: str | None = None
    page_size: int | None = None
    fresh: bool = False

    @override
    def __str__(self) -> str:
        """Campaign, pass and window, as shown in messages."""
        narrowed = f", events of {self.event}" if self.event else ""
        return f"campaign {self.campaign_id}, {self.pass_} {self.window}{narrowed}"

    @property
    def windows(self) -> dict[Axis, Window]:
        """The requested window of each date."""
        return {self.pass_.axis: self.window} | ({Axis.EVENT: self.event} if self.event else {})


def is_first(cursors: Cursors, bounds: Bounds, settings: Settings) -> bool:
    """Whether this run reads all of a campaign by last-updated, from as far back as the API goes."""
    start = _updated_start(cursors, bounds, settings)
    return cursors.get(Mark.UPDATED) is None and start == bounds.earliest and _moves(cursors, bounds, settings)


def plan_updated(
    campaign_id: str, cursors: Cursors, bounds: Bounds, settings: Settings, *, apart: bool = False
) -> list[Reading]:
    """Windows of the updated pass. The very first one sets the cursor of the locking pass to the run's now.

    `apart` separates what the previous run cannot have seen from the rest of the overlap: the answer does not say when
    an action was updated, and only new updates make its items out of date. Updates shortly before the cursor may have
    shown up after it.
    """
    start = _updated_start(cursors, bounds, settings)
    if start > bounds.until:
        return []
    moves = _moves(cursors, bounds, settings)

    def marks(window: Window) -> tuple[tuple[Mark, datetime], ...]:
        if not moves:
            return ()
        to: tuple[tuple[Mark, datetime], ...] = ((Mark.UPDATED, min(window.end, bounds.now)),)
        if cursors.get(Mark.UPDATED) is None:
            to += ((Mark.BEGUN, start),)
        return to if cursors.get(Mark.LOCKING) else (*to, (Mark.LOCKING, bounds.now), (Mark.FOLLOWED, bounds.now))

    cursor = cursors.get(Mark.UPDATED)
    # Without a cursor everything is new.
    seam = min(max(cursor - LATE if cursor else start, start), bounds.until) if apart else bounds.until
    before = [Reading(campaign_id, Pass.UPDATED, w, marks(w)) for w in cut(start, seam)] if seam > start else []
    if seam == bounds.until and before:
        return before
    return before + [Reading(campaign_id, Pass.UPDATED, w, marks(w), fresh=apart) for w in cut(seam, bounds.until)]


def plan_feed(campaign_id: str, cursors: Cursors, bounds: Bounds, settings: Settings) -> list[Reading]:
    """Windows of the change feed, from its cursor less the overlap, and before those already read."""
    start = _updated_start(cursors, bounds, settings, Mark.FEED)
    if start > bounds.until:
        return []
    moves, first = _moves(cursors, bounds, settings, Mark.FEED), cursors.get(Mark.FEED) is None

    def marks(window: Window) -> tuple[tuple[Mark, datetime], ...]:
        to = ((Mark.FEED, min(window.end, bounds.now)), *([(Mark.FEED_BEGUN, start)] if first else []))
        return to if moves else ()

    windows = [Reading(campaign_id, Pass.FEED, window, marks(window)) for window in cut(start, bounds.until)]
    return [*windows, *plan_earlier(campaign_id, cursors, bounds, settings, Pass.FEED, Mark.FEED_BEGUN)]


def plan_earlier(  # noqa: PLR0913, PLR0917 - one fact each
    campaign_id: str,
    cursors: Cursors,
    bounds: Bounds,
    settings: Settings,
    pass_: Pass = Pass.UPDATED,
    mark: Mark = Mark.BEGUN,
) -> list[Reading]:
    """Windows of a pass before those already read, if `start_date` was moved to an earlier instant.

    The latest come first, so that what was read has no gap wherever the run ends.
    """
    begun = cursors.get(mark)
    start = max(settings.start or bounds.earliest, bounds.earliest)
    margin = _BESIDE if start == settings.start else CLOCK_TOLERANCE  # clock noise alone must not move the horizon
    if begun is None or bounds.since or start > begun - margin or bounds.until < begun:
        return []
    return [Reading(campaign_id, pass_, window, ((mark, window.start),)) for window in reversed(cut(start, begun))]


def adjoining(windows: Iterable[Window], cursor: datetime) -> datetime:
    """The instant from which these windows hold everything up to the cursor."""
    reached = cursor
    for window in sorted(windows, key=lambda one: one.end, reverse=True):
        if window.end < reached - _BESIDE:
            break
        reached = min(reached, window.start)
    return reached


def plan_locking(  # noqa: PLR0913 - one fact each
    campaign_id: str,
    cursors: Cursors,
    bounds: Bounds,
    settings: Settings,
    *,
    furthest: datetime | None,
    uncleared: Iterable[datetime],
) -> list[Reading]:
    """Windows of the locking pass, given the furthest LockingDate known and those of uncleared actions.

    A range of a campaign that was never followed has nothing to follow: only what locked within it is read, because
    approvals are no updates. What else it holds was updated within it, and has just been read.
    """
    cursor = cursors.get(Mark.LOCKING)
    if cursor is None and bounds.since is None:
        return []
    usual = bounds.now if cursor is None else cursor - settings.overlap
    start = max(usual if bounds.since is None else bounds.since, bounds.earliest)
    rechecks = cursor is not None and _recheck_is_due(cursors, bounds, settings)
    # A lock further ahead than the API allows means never: such actions are re-read as unseen ones. The end of a range
    # may be excluded: the furthest lock lies before it.
    ahead = min(furthest, bounds.now + LOCK_MAX - SECOND) + SECOND if furthest else bounds.until
    end = max(bounds.until, ahead) if rechecks else bounds.until
    if start > end:
        return []
    moves = cursor is not None and start <= max(cursor, bounds.earliest)
    followed = uncleared if cursor is not None else ()
    windows = cover((lock for lock in followed if lock >= bounds.earliest), start, end)
    readings = []
    for window in windows:
        marks: tuple[tuple[Mark, datetime], ...] = ()
        if moves and window.end >= start:
            marks = ((Mark.LOCKING, min(window.end, bounds.until, bounds.now)),)
        if moves and rechecks and window is windows[-1]:
            marks += ((Mark.RECHECKED, bounds.now),)
        readings.append(Reading(campaign_id, Pass.LOCKING, window, marks))
    return readings


def vouches(cursors: Cursors, bounds: Bounds, settings: Settings) -> bool:
    """Whether a run leaves nothing out: it adjoins what was read before, and re-reads future locks."""
    cursor = cursors.get(Mark.LOCKING)
    adjoins = bounds.since is None or (cursor is not None and bounds.since <= cursor)
    return adjoins and _moves(cursors, bounds, settings) and _recheck_is_due(cursors, bounds, settings)


def lookback_start(cursors: Cursors, bounds: Bounds, settings: Settings) -> datetime:
    """The earliest LockingDate for which an uncleared action is still re-read.

    It counts from the last run, so that actions followed then do not drop out after a long pause.
    """
    last = min(cursors.get(Mark.LOCKING) or bounds.until, bounds.until)
    return max(last - settings.clearing_lookback, bounds.earliest)


def _updated_start(cursors: Cursors, bounds: Bounds, settings: Settings, mark: Mark = Mark.UPDATED) -> datetime:
    start = bounds.since or _usual_start(cursors, bounds, settings, mark)
    return max(start, bounds.earliest)


def _usual_start(cursors: Cursors, bounds: Bounds, settings: Settings, mark: Mark) -> datetime:
    cursor = cursors.get(mark)
    usual = settings.start or bounds.earliest if cursor is None else cursor - settings.overlap
    return max(usual, bounds.earliest)


def _moves(cursors: Cursors, bounds: Bounds, settings: Settings, mark: Mark = Mark.UPDATED) -> bool:
    """Whether the pass adjoins what it read before: otherwise its cursor must stay."""
    reached = max(cursors.get(mark) or _usual_start(cursors, bounds, settings, mark), bounds.earliest)
    return _updated_start(cursors, bounds, settings, mark) <= reached


def _recheck_is_due(cursors: Cursors, bounds: Bounds, settings: Settings) -> bool:
    last = cursors.get(Mark.RECHECKED)
    return last is None or bounds.now - last >= settings.recheck_interval

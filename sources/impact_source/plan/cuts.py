"""What to read instead of a window that cannot be read as requested. Pure.

A window is cut along its own date, put on larger pages, or cut by EventDate or by State. A cut that does not shrink the
answer is abandoned at once for the next way, because a server may compare dates to the minute or the day, and an
instant may hold more than can be paged through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from ..settings import PAGE_SIZE_MAX, PAGES_MAX, STATES
from .axis import Axis
from .narrowing import SHARE, Case, Way, Why
from .passes import Reading
from .splitting import split
from .windows import Counts, Window
from .windows import cut as cut_to_length

_MARGIN = 1.1
"""Known counts are a little old."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Cuts:
    """What to read instead of a window, and how it was narrowed."""

    way: Way
    readings: tuple[Reading, ...]

    @property
    def batches(self) -> list[list[Reading]]:
        """The readings in groups, each group requested at once.

        By EventDate one after the other: each may be narrowed in turn, or be the last that is needed.
        """
        return [[reading] for reading in self.readings] if self.way is Way.EVENT else [list(self.readings)]


@dataclass(frozen=True)
class Known:
    """What is known of an account: where its actions lie, all EventDates, and whether pages may be larger."""

    counts: Callable[[Reading, Axis], Counts]
    horizon: Window
    pages_may_grow: bool


def cut(case: Case, known: Known) -> Cuts | None:
    """What to read next instead of a window; None if there is no further way to narrow it."""
    stalls = list(case.stalls)
    if Way.TIME not in case.shut and _is_crowded(case, known.counts(case.reading, case.reading.pass_.axis)):
        stalls[Way.TIME] += 1
    for way in sorted(Way, key=lambda way: (stalls[way], way)):
        if way not in case.shut and (readings := _CUTS[way](case, known)):
            return Cuts(way, tuple(readings))
    return None


def _is_crowded(case: Case, counts: Counts) -> bool:
    """Whether nearly all known rows of a window lie at one instant: cutting it by time does not help."""
    known = sum(count for _, count in counts)
    return known > case.fit and max(count for _, count in counts) > known * (1 - SHARE)


def _by_time(case: Case, known: Known) -> list[Reading]:
    reading = case.reading
    windows = split(reading.window, case.fit, case.total, known.counts(reading, reading.pass_.axis))
    return [replace(reading, window=window, marks=()) for window in windows]


def _on_larger_pages(case: Case, known: Known) -> list[Reading]:
    """On pages large enough for the window to fit."""
    if case.why is not Why.TOO_MANY or not known.pages_may_grow:
        return []
    counted = sum(count for _, count in known.counts(case.reading, case.reading.pass_.axis))
    rows = case.total or max(int(counted * _MARGIN), 2 * case.fit)
    size = max(-(-rows // PAGES_MAX), case.size + 1)
    size = -(-size // 1_000) * 1_000
    return [replace(case.reading, page_size=size)] if size <= PAGE_SIZE_MAX else []


def _by_event(case: Case, known: Known) -> list[Reading]:
    """By EventDate: windows with known rows first, then from the nearest on. Actions lock after they happen."""
    reading, axis = case.reading, Axis.EVENT
    if reading.pass_.axis is axis:
        return []
    counts = known.counts(reading, axis)
    if reading.event:
        windows = split(reading.event, case.fit, case.total, counts)
    else:
        # The end of a range may be excluded, and the API may compare to the day.
        horizon = Window(known.horizon.start, known.horizon.end + _DAY)
        inside = [(at, count) for at, count in counts if horizon.start <= at <= horizon.end]
        wide = split(horizon, case.fit, case.total, inside) if inside else [horizon]
        windows = [window for one in wide for window in cut_to_length(*one.ends)]
    near = min(reading.window.end, known.horizon.end)

    def unlikely(window: Window) -> tuple[int, timedelta]:
        return -sum(count for at, count in counts if window.start <= at <= window.end), abs(near - window.end)

    return [replace(reading, event=window, marks=()) for window in sorted(windows, key=unlikely)]


def _by_state(case: Case, known: Known) -> Sequence[Reading]:  # noqa: ARG001 - one signature for all ways
    """By State, if the total is known: otherwise undocumented states would be missed without notice."""
    if case.reading.state is not None or case.why is not Why.TOO_MANY or case.total is None:
        return []
    return [replace(case.reading, state=state, marks=()) for state in STATES]


_CUTS: dict[Way, Callable[[Case, Known], Sequence[Reading]]] = {
    Way.TIME: _by_time,
    Way.LARGER: _on_larger_pages,
    Way.EVENT: _by_event,
    Way.STATE: _by_state,
}

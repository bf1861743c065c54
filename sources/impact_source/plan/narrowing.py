"""How a window that cannot be read as it was asked for is narrowed. Pure.

From what was asked, what came back and what is known to the next cuts: along its own date, on larger pages, by
EventDate, by State. A cut that does not shrink what comes back is given up at once for the next way, because a server
may compare dates to the minute or the day, and an instant may hold more than can be paged through. Whoever sends the
requests drives this: `cut` says what to read next, `child` what to make of a part that could not be read either,
`adds_up` whether the parts hold all of it, `allowed` when to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, IntEnum

from typing_extensions import override

from ..api.protocol import Axis
from ..settings import PAGE_SIZE_MAX, PAGES_MAX, STATES
from .passes import Reading
from .splitting import Counts, parts
from .windows import Window, second
from .windows import cut as cut_to_length

_SHARE = 0.1
"""A cut that takes off less than this share of the rows does not shrink them."""
_BEYOND = 30
"""Requests beyond the pages themselves that narrowing a window may take, and so many for each page: see `allowed`."""
_A_PAGE = 2
_MARGIN = 1.1
"""Known counts are a little old."""
_DAY = timedelta(days=1)
_QUIET = timedelta(days=10)
"""From the API's horizon: an account has next to nothing there, and it is not yet out of reach while a run lasts."""


class Why(Enum):
    """Why a window could not be read as it was asked for."""

    TOO_MANY = "too full"
    TOO_SLOW = "too slow"
    MOVED = "moved"


class Way(IntEnum):
    """How a window can be narrowed, in the order in which that is tried."""

    TIME = 0
    LARGER = 1
    EVENT = 2
    STATE = 3


@dataclass(frozen=True)
class Case:
    """A window that could not be read as it was asked for, on pages of `size` rows, and what the API said.

    `total` is the number of its rows, if known. `stalls` counts for each way the cuts in a row that did not shrink
    what came back; `shut` are ways that lost rows.
    """

    reading: Reading
    why: Why
    said: str
    size: int
    total: int | None = None
    stalls: tuple[int, ...] = (0,) * len(Way)
    shut: frozenset[Way] = frozenset()

    @property
    def fit(self) -> int:
        """The rows that a part should hold at the most. Where rows move between pages, one page is one answer."""
        return self.size if self.why is Why.MOVED else self.size * PAGES_MAX

    @property
    def least(self) -> int:
        """The rows that the window holds at the least: the total, or one more than the API pages through.

        Of a window that is too slow nothing is known: it is given the requests that a full one may take.
        """
        return self.fit + 1 if self.total is None else self.total

    @override
    def __str__(self) -> str:
        """The window and what is wrong with it."""
        many = "too many" if self.total is None else f"{self.total:,}"
        words = {
            Why.TOO_MANY: f"it holds {many} actions",
            Why.TOO_SLOW: "it is not answered in time",
            Why.MOVED: "its pages contradict their total",
        }
        return f"{self.reading}: {words[self.why]}"


@dataclass(frozen=True)
class Cuts:
    """What to read instead of a window, and the way that it was narrowed."""

    way: Way
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Known:
    """What is known of an account: where its actions lie, all EventDates, and whether pages may be larger."""

    counts: Callable[[Reading, Axis], Counts]
    horizon: Window
    pages_may_grow: bool


def cut(case: Case, known: Known) -> Cuts | None:
    """What to read next instead of a window; None where there is no further way to narrow it."""
    stalls = list(case.stalls)
    if Way.TIME not in case.shut and _is_crowded(case, known.counts(case.reading, case.reading.pass_.axis)):
        stalls[Way.TIME] += 1
    for way in sorted(Way, key=lambda way: (stalls[way], way)):
        if way not in case.shut and (readings := _CUTS[way](case, known)):
            return Cuts(way, tuple(readings))
    return None


def child(case: Case, way: Way, part: Case, others: int) -> Case:
    """A part that could not be read either, as the next case; `others` are the rows in the other parts, at least."""
    if part.total is not None and case.total is not None:
        stalled = part.total > case.total * (1 - _SHARE)
    else:
        stalled = others < case.least * _SHARE
    # The first cut by EventDate begins with years: that one part of them holds nearly all rows is usual.
    wide = way is Way.EVENT and case.reading.event is None
    stalls = list(case.stalls)
    stalls[way] = stalls[way] + 1 if stalled and not wide else 0
    return replace(part, stalls=tuple(stalls))


def adds_up(case: Case, way: Way, found: int, now: Case | None = None) -> bool:
    """Whether parts with so many different rows are all of a window, as far as anything is known of its total.

    `now` is the window as it is after the parts were read: rows may have come and gone in the meantime. Without a
    total, parts of its own date are trusted, as they leave no gap between them; EventDates may lie beyond all of them.
    """
    if case.why is not Why.TOO_MANY or (case.total is None and way is Way.TIME):
        return True
    least = case.least if now is None else now.least
    return found >= min(case.least, least) - abs(case.least - least)


def allowed(rows: int, size: int) -> int:
    """The requests that a window with so many rows may take, pages included, before narrowing it is given up."""
    pages = -(-rows // size)
    return pages + _BEYOND + _A_PAGE * pages


def probes(reading: Reading, horizon: Window, why: Why) -> list[dict[Axis, Window]]:
    """Windows that hold next to nothing. If each is refused too, or too slow, the number of rows is not the reason.

    Of a refusal all bounds are kept at first, then their starts: it may be one of them that is refused, or how far
    they lie apart, which narrowing helps.
    """
    quiet = second(min(horizon.start + _QUIET, horizon.end))
    unused = next(axis for axis in (Axis.EVENT, Axis.LOCKING, Axis.UPDATED) if axis not in reading.windows)
    if why is Why.TOO_SLOW:
        return [dict.fromkeys([*reading.windows, unused], quiet)]
    starts = {axis: second(window.start) for axis, window in reading.windows.items()}
    return [reading.windows | {unused: quiet}, starts | {unused: quiet}]


def _is_crowded(case: Case, counts: Counts) -> bool:
    """Whether nearly all rows that are known of a window lie at one instant: to cut it by time takes nothing off."""
    known = sum(count for _, count in counts)
    return known > case.fit and max(count for _, count in counts) > known * (1 - _SHARE)


def _by_time(case: Case, known: Known) -> list[Reading]:
    reading = case.reading
    windows = parts(reading.window, case.fit, case.total, known.counts(reading, reading.pass_.axis))
    return [replace(reading, window=window, marks=()) for window in windows]


def _on_larger_pages(case: Case, known: Known) -> list[Reading]:
    """On pages so large that the window fits."""
    if case.why is not Why.TOO_MANY or not known.pages_may_grow:
        return []
    counted = sum(count for _, count in known.counts(case.reading, case.reading.pass_.axis))
    rows = case.total or max(int(counted * _MARGIN), 2 * case.fit)
    size = max(-(-rows // PAGES_MAX), case.size + 1)
    size = -(-size // 1_000) * 1_000
    return [replace(case.reading, page_size=size)] if size <= PAGE_SIZE_MAX else []


def _by_event(case: Case, known: Known) -> list[Reading]:
    """By EventDate: where rows are known to be first, then from the nearest on. Actions lock after they happen."""
    reading, axis = case.reading, Axis.EVENT
    if reading.pass_.axis is axis:
        return []
    counts = known.counts(reading, axis)
    if reading.event:
        windows = parts(reading.event, case.fit, case.total, counts)
    else:
        # The end of a range may not count, and today may be the finest that the API knows.
        horizon = Window(known.horizon.start, known.horizon.end + _DAY)
        inside = [(at, count) for at, count in counts if horizon.start <= at <= horizon.end]
        wide = parts(horizon, case.fit, case.total, inside) if inside else [horizon]
        windows = [window for one in wide for window in cut_to_length(*one.ends)]
    near = min(reading.window.end, known.horizon.end)

    def unlikely(window: Window) -> tuple[int, timedelta]:
        return -sum(count for at, count in counts if window.start <= at <= window.end), abs(near - window.end)

    return [replace(reading, event=window, marks=()) for window in sorted(windows, key=unlikely)]


def _by_state(case: Case, known: Known) -> Sequence[Reading]:  # noqa: ARG001 - one signature for all ways
    """By State, where the total is known: states that nobody documented would not be missed otherwise."""
    if case.reading.state is not None or case.why is not Why.TOO_MANY or case.total is None:
        return []
    return [replace(case.reading, state=state, marks=()) for state in STATES]


_CUTS: dict[Way, Callable[[Case, Known], Sequence[Reading]]] = {
    Way.TIME: _by_time,
    Way.LARGER: _on_larger_pages,
    Way.EVENT: _by_event,
    Way.STATE: _by_state,
}

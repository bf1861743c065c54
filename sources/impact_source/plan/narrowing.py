"""What to do about a window, or a part of one, that cannot be read as requested. Pure.

From the request and its answer to the next case: `child` is a part that could not be read either, `adds_up` says
whether the parts hold all of a window, `allowed` limits the requests. `cuts.cut` says what to read next. Whoever sends
the requests drives this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, IntEnum

from typing_extensions import override

from ..settings import PAGES_MAX
from .axis import Axis
from .passes import Reading
from .windows import Window, second

SHARE = 0.1
"""A cut that takes off less than this share of the rows does not shrink them."""
_BEYOND = 30
"""Requests that narrowing a window may take beyond the pages themselves, and `_A_PAGE` for each page: see `allowed`."""
_A_PAGE = 2
_QUIET = timedelta(days=10)
"""After the API's horizon: an account has next to nothing there, and it stays in reach while a run lasts."""


class Why(Enum):
    """Why a window could not be read as requested."""

    TOO_MANY = "too full"
    TOO_SLOW = "too slow"
    MOVED = "moved"


class Way(IntEnum):
    """How a window can be narrowed, in the order in which the ways are tried."""

    TIME = 0
    LARGER = 1
    EVENT = 2
    STATE = 3


@dataclass(frozen=True)
class Case:
    """A window that could not be read as requested, on pages of `size` rows, and what the API said.

    `total` is the number of its rows, if known. `stalls` counts, for each way, consecutive cuts that did not shrink the
    answer; `shut` are ways that lost rows.
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
        """The most rows that a part should hold. If rows move between pages, one page is one answer."""
        return self.size if self.why is Why.MOVED else self.size * PAGES_MAX

    @property
    def least(self) -> int:
        """The fewest rows that the window can hold: the total, or one more than the API pages through.

        Nothing is known of a window that is too slow: it is given the requests that a full one may take.
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


def child(case: Case, way: Way, part: Case, others: int) -> Case:
    """The next case, for a part that could not be read either; the other parts hold at least `others` rows."""
    if part.total is not None and case.total is not None:
        stalled = part.total > case.total * (1 - SHARE)
    else:
        stalled = others < case.least * SHARE
    # The first cut by EventDate makes parts of years: one of them often holds nearly all rows.
    wide = way is Way.EVENT and case.reading.event is None
    stalls = list(case.stalls)
    stalls[way] = stalls[way] + 1 if stalled and not wide else 0
    return replace(part, stalls=tuple(stalls))


def after_larger(case: Case, part: Case) -> Case:
    """What to narrow next if the window cannot be read on larger pages either: `part` says why."""
    if part.why is not Why.TOO_MANY:  # larger pages are slower, and hold more rows that can move
        return shut_way(case, Way.LARGER, case.total)
    return child(case, Way.LARGER, part, 0)


def shut_way(case: Case, way: Way, total: int | None) -> Case:
    """The case without a way that lost rows or cannot help; `total` is what the window holds now."""
    return replace(case, total=total, shut=case.shut | {way})


def may_stop(case: Case, way: Way) -> bool:
    """Whether the remaining parts can be skipped once those read hold the total."""
    return way is not Way.TIME and case.total is not None


def adds_up(case: Case, way: Way, found: int, now: Case | None = None) -> bool:
    """Whether parts with so many different rows are the complete window, as far as its total is known.

    `now` is the window after the parts were read: rows may have come and gone meanwhile. Without a total, parts by its
    own date are trusted, as they leave no gap between them; EventDates may lie beyond all parts.
    """
    if case.why is not Why.TOO_MANY or (case.total is None and way is Way.TIME):
        return True
    least = case.least if now is None else now.least
    return found >= min(case.least, least) - abs(case.least - least)


def allowed(rows: int, size: int) -> int:
    """The requests that a window with so many rows may take, pages included, before narrowing it is given up."""
    pages = -(-rows // size)
    return pages + _BEYOND + _A_PAGE * pages


def plan_probes(reading: Reading, horizon: Window, why: Why) -> list[dict[Axis, Window]]:
    """Windows that hold next to nothing. If each is refused too, or too slow, the number of rows is not the reason.

    For a refusal, the first probe keeps all bounds, the second only their starts: the cause may be a bound itself, or
    the length of the range, which narrowing helps.
    """
    quiet = second(min(horizon.start + _QUIET, horizon.end))
    unused = next(axis for axis in (Axis.EVENT, Axis.LOCKING, Axis.UPDATED) if axis not in reading.windows)
    if why is Why.TOO_SLOW:
        return [dict.fromkeys([*reading.windows, unused], quiet)]
    starts = {axis: second(window.start) for axis, window in reading.windows.items()}
    return [reading.windows | {unused: quiet}, starts | {unused: quiet}]


def plausible_total(total: int | None, size: int) -> int | None:
    """The number of rows that a refusal names, if that is too many for pages of this size."""
    return total if total and total > size * PAGES_MAX else None

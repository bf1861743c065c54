"""How finely the API compares the bounds of a range with dates, and whether the end belongs to the range. Pure.

One action whose date is shown is looked for in ranges that begin or end close to it. Every way in which a server may
compare predicts which ranges list the action; each answer rules out the ways that predicted otherwise. What all the
remaining ways have in common is known, and nothing else is. Instants are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from .answers import Answer, untold

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
UNITS: Final = {"millisecond": 1, "second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY}
HIDDEN: Final = (0, 1, 250, 500, 750, 999)
"""Milliseconds that a date shown in whole seconds may have, one for each side of the bounds that are tried."""
_NEAR: Final = 10 * MINUTE
SPANS: Final = (
    (1, _NEAR),
    (-_NEAR, 0),
    (SECOND, _NEAR),
    (-_NEAR, 1),
    (999, _NEAR),
    (-_NEAR, 999),
    (-_NEAR, -SECOND),
    (MINUTE + SECOND, _NEAR),
    (-_NEAR, -MINUTE - SECOND),
    (HOUR + SECOND, HOUR + _NEAR),
    (-HOUR - _NEAR, -HOUR - SECOND),
    (3 * HOUR, 3 * HOUR + _NEAR),
    (-_NEAR, _NEAR),
    (3 * HOUR, DAY + 3 * HOUR),
    (-DAY - 3 * HOUR, -3 * HOUR),
    (-DAY, 0),
    (SECOND, DAY),
    (-DAY, DAY),
)
"""The ranges to try, from and to, relative to the date of the action; the first ones list the fewest other actions."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Way:
    """One way to compare: bounds, and with `dates` the dates too, are cut to `unit`, in a zone with this `midnight`.

    The date is `hidden` later than it is shown.
    """

    unit: str
    inclusive: bool
    dates: bool
    hidden: int
    midnight: int = 0

    def lists(self, date: int, span: Span) -> bool:
        """Whether a range from and to these instants lists an action with this date."""
        date += self.hidden
        start, end = (self._cut(bound) for bound in span)
        compared = self._cut(date) if self.dates else date
        return start <= compared and (compared <= end if self.inclusive else compared < end)

    def _cut(self, moment: int) -> int:
        return moment - (moment - self.midnight) % UNITS[self.unit]


@dataclass(frozen=True)
class Case:
    """What is known: the ways that no answer rules out, the spans tried, and whether any listed the action."""

    date: int
    ways: tuple[Way, ...]
    tried: frozenset[Span] = frozenset()
    listed: bool = False


def begin(date: int, hidden: Iterable[int] = HIDDEN) -> Case:
    """The case before any answer, for an action with this date."""
    ways = [
        Way(unit, inclusive, dates, more, midnight)
        for unit, inclusive, dates, more in product(UNITS, (True, False), (True, False), hidden)
        for midnight in (range(0, DAY, HOUR) if unit == "day" else (0,))
    ]
    return Case(date, tuple(ways))


def choose(case: Case) -> Span | None:
    """The span whose answer tells most, whatever it is; None if no answer can tell any more.

    An action that no span has listed may not be there at all: then a span must list it before anything is known.
    """
    spans = [span for span in SPANS if span not in case.tried]
    if len(_readings(case.ways)) > 1 and (useful := [span for span in spans if _left(case, span)]):
        return min(useful, key=lambda span: _left(case, span) or ())
    certain = (span for span in spans if all(way.lists(case.date, at(case, span)) for way in case.ways))
    return None if case.listed or not case.ways else next(certain, None)


def after(case: Case, span: Span, *, listed: bool | None) -> Case:
    """The case once it is known whether a span listed the action; None if the answer does not say."""
    tried = case.tried | {span}
    if listed is None:
        return replace(case, tried=tried)
    ways = tuple(way for way in case.ways if way.lists(case.date, at(case, span)) == listed)
    return Case(case.date, ways, tried, case.listed or listed)


def at(case: Case, span: Span) -> Span:
    """A span as instants."""
    return case.date + span[0], case.date + span[1]


def precision(case: Case) -> Answer:
    """To which unit bounds are compared."""
    if doubt := _doubt(case):
        return untold(doubt)
    units = list(dict.fromkeys(way.unit for way in case.ways))
    return Answer(units[0]) if len(units) == 1 else untold(f"it may be the {' or the '.join(units)}")


def end(case: Case) -> Answer:
    """Whether the end of a range is part of it."""
    if doubt := _doubt(case):
        return untold(doubt)
    kinds = {way.inclusive for way in case.ways}
    if len(kinds) > 1:
        return untold("no action lies exactly on an end, as far as its date shows")
    return Answer("part of it (inclusive)" if kinds == {True} else "not part of it (exclusive)")


def _doubt(case: Case) -> str:
    if not case.ways:
        return "the answers fit no way of comparing that is known"
    return "" if case.listed else "no range listed the action that was looked for"


def _readings(ways: Sequence[Way]) -> set[tuple[str, bool]]:
    return {(way.unit, way.inclusive) for way in ways}


def _left(case: Case, span: Span) -> tuple[int, int] | None:
    """The most readings, and ways, that an answer leaves; None if there is only one answer."""
    sides: tuple[list[Way], list[Way]] = ([], [])
    for way in case.ways:
        sides[way.lists(case.date, at(case, span))].append(way)
    if not all(sides):
        return None
    return max(len(_readings(side)) for side in sides), max(map(len, sides))

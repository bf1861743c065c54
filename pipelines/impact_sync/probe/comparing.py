"""How finely the API compares the bounds of a range with dates, and whether the end belongs to the range. Pure.

One action whose date is shown is looked for in ranges that begin or end close to it. Every way in which a server may
compare predicts which ranges list the action; each answer rules out the ways that predicted otherwise. What all the
remaining ways have in common is known, and nothing else is. Instants are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, TypeAlias

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
    (HOUR + SECOND, DAY + HOUR),
    (3 * HOUR, DAY + 3 * HOUR),
    (-DAY - 3 * HOUR, -3 * HOUR),
    (-DAY, 0),
    (SECOND, DAY),
    (-DAY, DAY),
    (-3 * DAY, -2 * DAY),
)
"""The ranges to try, from and to, relative to the date of the action; the first ones list the fewest other actions."""

Span: TypeAlias = tuple[int, int]
Reading: TypeAlias = tuple[str, bool]
"""The unit, and whether ends are inclusive."""


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

    @property
    def reading(self) -> Reading:
        """What is to be found out of it."""
        return self.unit, self.inclusive

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
    """The ways that no answer rules out, what is expected, the spans tried, and the kinds of answers they had."""

    date: int
    ways: tuple[Way, ...]
    expected: Reading | None = None
    tried: frozenset[Span] = frozenset()
    heard: frozenset[bool] = frozenset()


def begin(date: int, hidden: Iterable[int] = HIDDEN, expected: Reading | None = None) -> Case:
    """The case before any answer, for an action with this date; what is expected only decides what is tried first."""
    ways = [
        Way(unit, inclusive, dates, more, midnight)
        for unit, inclusive, dates, more in product(UNITS, (True, False), (True, False), hidden)
        for midnight in (range(0, DAY, HOUR) if unit == "day" else (0,))
    ]
    return Case(date, tuple(ways), expected)


def choose(case: Case) -> Span | None:
    """The span whose answer tells most, if the expected reading holds; None if no answer can tell any more.

    An action that no span has listed may not be there at all, and one that every span has listed may be in any list:
    a span of the other kind must show that the date counts, before anything is known.
    """
    spans = [span for span in SPANS if span not in case.tried]
    if len(_readings(case.ways)) > 1:
        scored = [(score, place) for place, span in enumerate(spans) if (score := _left(case, span))]
        if scored:
            return spans[min(scored)[1]]
    return next((span for span in spans if _foreseen(case, span) - case.heard), None)


def _foreseen(case: Case, span: Span) -> frozenset[bool]:
    """The answer to a span, if all ways that are left have the same; empty otherwise."""
    answers = frozenset(way.lists(case.date, at(case, span)) for way in case.ways)
    return answers if len(answers) == 1 else frozenset()


def after(case: Case, span: Span, *, listed: bool | None) -> Case:
    """The case once it is known whether a span listed the action; None if the answer does not say."""
    tried = case.tried | {span}
    if listed is None:
        return replace(case, tried=tried)
    ways = tuple(way for way in case.ways if way.lists(case.date, at(case, span)) == listed)
    return replace(case, ways=ways, tried=tried, heard=case.heard | {listed})


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
    if True not in case.heard:
        return "no range listed the action that was looked for"
    if False not in case.heard:
        return "every range listed the action that was looked for"
    return "" if case.ways else "the answers fit no way of comparing that is known"


def reading(case: Case) -> Reading | None:
    """The only reading that is left; None if there are several."""
    readings = _readings(case.ways)
    return next(iter(readings)) if len(readings) == 1 and not _doubt(case) else None


def _readings(ways: Sequence[Way]) -> set[Reading]:
    return {way.reading for way in ways}


def _left(case: Case, span: Span) -> tuple[int, int, int] | None:
    """The most readings that an expected answer leaves, then that any answer leaves; None if only one is possible."""
    sides: tuple[list[Way], list[Way]] = ([], [])
    for way in case.ways:
        sides[way.lists(case.date, at(case, span))].append(way)
    if not all(sides):
        return None
    expected = [side for side in sides if any(way.reading == case.expected and not way.hidden for way in side)] or sides
    return (
        max(len(_readings(side)) for side in expected),
        max(len(_readings(side)) for side in sides),
        max(map(len, sides)),
    )

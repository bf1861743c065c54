"""Asks about ranges of dates: how bounds are compared, which filters apply, and how far back they may reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from impact_source.errors import RequestRefused
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window

from . import comparing
from .answers import Answer, Topic, Untellable
from .form import shows_milliseconds
from .known import FIELDS, Answers, Known
from .rows import Row, has_id, moment, text

_SPANS: Final = 6
"""The most ranges to try for one date."""
_SILENT: Final = 2
"""Ranges in a row without a usable answer after which no more are tried."""
_BY_DAY: Final = range(9, 20)
"""Hours, UTC, near which it is midnight neither there nor in America or Europe."""
_AMID: Final = range(15, 41)
_EARLY: Final = 50
"""Minutes of an hour and seconds of a minute from which the nearest spans do not cross too many of them."""
_STATES: Final = ("REVERSED", "PENDING")
"""States that are shown by no other name."""
_AWAY: Final = timedelta(days=5)
_OUTSIDE: Final = timedelta(days=2)
"""A date this far from a window is in it by no way of comparing."""
_HOUR: Final = timedelta(hours=1)
_WITHIN, _BEYOND = timedelta(days=1000), timedelta(days=1100)
"""Less and more than three years."""


def compared(axis: Axis, unit: Topic, end: Topic) -> Callable[[Known], Answers]:
    """The question how bounds of a date are compared."""
    return partial(_compare, axis, unit, end)


def _compare(axis: Axis, unit: Topic, end: Topic, known: Known) -> Answers:
    match, date, hidden = _witness(known, axis)
    case = comparing.begin(_milliseconds(date), hidden, known.reading)
    silent = 0
    for _ in range(_SPANS):
        if (span := comparing.choose(case)) is None or silent >= _SILENT:
            break
        bounds = (_instant(bound) for bound in comparing.at(case, span))
        listed = known.sees({axis: Window(*bounds)}, match)
        case = comparing.after(case, span, listed=listed)
        silent = silent + 1 if listed is None else 0
    known.reading = comparing.reading(case)
    precision = comparing.precision(case)
    if precision.told:
        known.units[axis] = comparing.UNITS[precision.text]
    yield unit, precision
    yield end, comparing.end(case)


def _witness(known: Known, axis: Axis) -> tuple[Callable[[Row], bool], datetime, tuple[int, ...]]:
    """What to look for: how it is recognized, its date, and which milliseconds the date may hide.

    Best is a LockingDate on the hour: a rule made it, and it hides none.
    """
    field, rows = FIELDS[axis], known.with_dates(axis)
    if not rows:
        msg = f"no action with {field} was seen"
        raise Untellable(msg)
    dates = Counter(
        date for row in rows if (date := moment(row, field)) and not (date.minute or date.second or date.microsecond)
    )
    if axis is Axis.LOCKING and 2 * dates.total() > len(rows):
        shared = min(dates, key=lambda date: (dates[date] == 1, dates[date]))
        return lambda row: moment(row, field) == shared, shared, (0,)
    date, id_ = min(((date, text(row, "Id")) for row in rows if (date := moment(row, field))), key=_clear)
    hidden = (0,) if shows_milliseconds(known.rows) else comparing.HIDDEN
    return partial(has_id, id_), date, hidden


def _clear(witness: tuple[datetime, str]) -> tuple[bool, bool, bool]:
    """What tells most comes first: dates away from the ends of days, hours and minutes, best at a full minute."""
    date, _ = witness
    return date.minute not in _AMID or date.second > _EARLY, date.hour not in _BY_DAY, date.second > 0


def _milliseconds(moment_: datetime) -> int:
    return round(moment_.timestamp() * 1000)


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def filters(known: Known) -> Answers:
    """Whether all filters of a request apply: an action that meets one of two must not be listed."""
    rows = known.with_dates(Axis.EVENT, Axis.LOCKING)
    if not rows:
        msg = "no action with an EventDate and a LockingDate was seen"
        raise Untellable(msg)
    event, lock = (moment(rows[0], FIELDS[axis]) or known.asker.now for axis in (Axis.EVENT, Axis.LOCKING))
    inside = {axis: known.around(at, axis) for axis, at in ((Axis.EVENT, event), (Axis.LOCKING, lock))}
    elsewhere = {
        Axis.EVENT: Window(event - _AWAY - inside[Axis.EVENT].span, event - _AWAY),
        Axis.LOCKING: Window(lock + _AWAY, lock + _AWAY + inside[Axis.LOCKING].span),
    }
    is_it = partial(has_id, text(rows[0], "Id"))
    if not known.expect(known.sees(inside, is_it)):
        msg = "an action is not listed by its own dates"
        raise Untellable(msg)
    ignored = []
    for axis, beside in ((Axis.LOCKING, Axis.EVENT), (Axis.EVENT, Axis.LOCKING)):
        windows = {beside: inside[beside], axis: elsewhere[axis]}
        if known.violates(windows, partial(_is_outside, FIELDS[axis], elsewhere[axis])):
            ignored.append(axis)
    other = next(state for state in _STATES if state != text(rows[0], "State").upper())
    state = known.violates({Axis.EVENT: inside[Axis.EVENT]}, is_it, other)
    known.all_apply = not ignored and not state
    yield Topic.FILTERS, _combination(ignored, state=state)


def _is_outside(field: str, window: Window, row: Row) -> bool:
    date = moment(row, field)
    return date is None or not window.start - _OUTSIDE < date < window.end + _OUTSIDE


def _combination(ignored: list[Axis], *, state: bool) -> Answer:
    names = ["LockingDate" if axis is Axis.LOCKING else "ActionDate" for axis in ignored]
    if len(names) > 1:
        return Answer("list what meets any of them (OR)")
    names += ["State"] if state else []
    return Answer(f"do not all apply: {' and '.join(names)} is ignored" if names else "all apply (AND)")


def years(axis: Axis, topic: Topic) -> Callable[[Known], Answers]:
    """The question whether a range by this date may begin more than three years ago."""
    return partial(_years, axis, topic)


def _years(axis: Axis, topic: Topic, known: Known) -> Answers:
    beyond, within = (known.asker.now - back for back in (_BEYOND, _WITHIN))
    try:
        known.actions({axis: Window(beyond, beyond + _HOUR)})
    except RequestRefused:
        known.actions({axis: Window(within, within + _HOUR)})  # else it is refused for another reason
        yield topic, Answer("applies")
    else:
        yield topic, Answer("does not apply")

"""The form in which the API answers: how values are written, rows sorted, limits told and requests refused. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from impact_source.api.protocol import HTTP_OK
from impact_source.errors import RequestRefused, WindowTooFull
from impact_source.plan.axis import Axis
from impact_source.rows.columns import ACTION, Kind
from impact_source.settings import PAGES_MAX

from .answers import Answer, untold
from .rows import Row, moment, text

_MONEY: Final = tuple(column.field for column in ACTION if column.kind is Kind.MONEY)
_DATES: Final = tuple(column.field for column in ACTION if column.kind is Kind.TIME)
_EMPTY: Final = ("LockingDate", "ClearedDate")
"""The dates that an action may lack."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?")
_SORTED_FROM: Final = 8
"""Different dates that are hardly ever in order by chance."""
_LOOSELY: Final = 0.1
"""The share of neighbours in the wrong order up to which rows still count as sorted."""
_SIZE: Final = "pagesize"
_BOUNDS: Final = frozenset(name.lower() for axis in Axis for name in axis.value)
LIMIT_HEADERS: Final = (
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("X-RateLimit-Limit-hour", "X-RateLimit-Remaining-hour", "X-RateLimit-Reset-hour"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"),
)
_RESETS: Final = tuple(name for name in LIMIT_HEADERS if "Reset" in name or name == "Retry-After")
_EPOCH_FROM, _EPOCH_UNTIL = 1e9, 1e11
_WAIT_MAX: Final = 86_400
"""Seconds: no limit by the hour means a longer wait."""
REFUSED: Final = 429
"""The status of a request beyond the hourly limit."""


@dataclass(frozen=True)
class Heard:
    """What one answer said of the request limit: its status, and the known headers by their names."""

    status: int
    limits: Mapping[str, str]


def hear(status: int, headers: Mapping[str, str]) -> Heard:
    """The known headers of an answer, in whichever case they came."""
    lower = {name.lower(): value for name, value in headers.items()}
    return Heard(status, {name: lower[name.lower()] for name in LIMIT_HEADERS if name.lower() in lower})


def money(rows: Sequence[Row]) -> Answer:
    """Whether amounts are strings or numbers."""
    values = [row[field] for row in rows for field in _MONEY if text(row, field)]
    kinds = sorted({"strings" if isinstance(value, str) else "JSON numbers" for value in values}, reverse=True)
    return Answer(" and ".join(kinds)) if kinds else untold("no amount was seen")


def empty(rows: Sequence[Row]) -> Answer:
    """How a missing date is written."""
    kinds = set()
    for row in rows:
        for field in _EMPTY:
            if not text(row, field):
                kinds.add("no field" if field not in row else "null" if row[field] is None else '""')
    return Answer(" and ".join(sorted(kinds))) if kinds else untold("every action has both of its later dates")


def times(rows: Sequence[Row]) -> Answer:
    """Whether times have offsets and milliseconds."""
    written = [found for row in rows for field in _DATES if (found := text(row, field))]
    parsed = [match.groups() for value in written if (match := _TIME.fullmatch(value))]
    if not parsed:
        return untold("no time was seen" if not written else "they are not written as ISO 8601")
    zones = {
        "without an offset" if not zone else "in UTC (Z)" if zone == "Z" else "with an offset" for _, zone in parsed
    }
    fractions = {fraction for fraction, _ in parsed}
    parts = [" or ".join(sorted(zones)), _finest(fractions)]
    if len(parsed) < len(written):
        parts.append("some in another form")
    return Answer(", ".join(parts))


def _finest(fractions: set[str | None]) -> str:
    written = [fraction for fraction in fractions if fraction]
    if not written:
        return "in whole seconds"
    some = "some " if None in fractions else ""
    return f"{some}with milliseconds{'' if any(int(one) for one in written) else ', all 000'}"


def shows_milliseconds(rows: Sequence[Row]) -> bool:
    """Whether any date shows a fraction of a second, so that none of them hides one."""
    return any((found := moment(row, field)) and found.microsecond for row in rows for field in _DATES)


def order(rows: Sequence[Row]) -> Answer:
    """Whether the rows of a page are sorted by creation, the newest first."""
    created = [found for row in rows if (found := moment(row, "CreationDate"))]
    if len(set(created)) < _SORTED_FROM:
        return untold(f"fewer than {_SORTED_FROM} actions with different CreationDates were seen on a page")
    rising = sum(after > before for before, after in pairwise(created))
    falling = sum(after < before for before, after in pairwise(created))
    if not rising:
        return Answer("newest created first")
    if not falling:
        return Answer("oldest created first")
    return Answer(
        "newest created first, but not strictly" if rising <= _LOOSELY * falling else "in no order of creation"
    )


def limit_headers(heard: Sequence[Heard]) -> Answer:
    """The headers that tell how many requests are left."""
    usual = _names(one for one in heard if one.status != REFUSED)
    refused = [one for one in heard if one.status == REFUSED]
    more = [name for name in _names(refused) if name not in usual]
    if more:
        return Answer(f"{', '.join(usual) or 'no header'}; a 429 has {', '.join(more)}")
    if usual:
        return Answer(", ".join(usual))
    if not heard:
        return untold("no answer came")
    return Answer("no header, not even of a 429") if refused else Answer("no header, as far as no request is refused")


def reset(heard: Sequence[Heard]) -> Answer:
    """Whether the reset is a time to wait or an instant."""
    values = [value for one in heard for name, value in one.limits.items() if name in _RESETS]
    if not values:
        return untold("no answer has such a header")
    kinds = list(dict.fromkeys(_reset(value) for value in values))
    return Answer(" or ".join(kinds)) if all(kinds) else untold("its value is not a number that fits either")


def _reset(value: str) -> str:
    try:
        number = float(re.split("[,;]", value)[0])
    except ValueError:
        return "a date" if re.match(r"[A-Z][a-z]{2}, ", value) else ""
    if not math.isfinite(number) or number < 0:
        return ""
    if number <= _WAIT_MAX:
        return "the seconds to wait"
    if number < _EPOCH_FROM:
        return ""
    return "an epoch second" if number < _EPOCH_UNTIL else "an epoch millisecond"


def _names(heard: Iterable[Heard]) -> list[str]:
    seen = {name for one in heard for name in one.limits}
    return [name for name in LIMIT_HEADERS if name in seen]


def refusal(status: int, error: RequestRefused) -> Answer:
    """The form of a refusal: its status, and the kinds of fields that its Errors name."""
    fields = {field.lower() for field in error.fields}
    named = ["PageSize"] if _SIZE in fields else []
    named += ["dates"] if fields & _BOUNDS else []
    named += ["other fields"] if fields - _BOUNDS - {_SIZE} else []
    head = "a 200 whose Status is ERROR" if status == HTTP_OK else f"a {status}"
    return Answer(f"{head}, with Errors that name {' and '.join(named)}" if named else f"{head}, without Errors")


def names_total(error: RequestRefused, size: int) -> Answer:
    """Whether the words of a refusal say how many rows match; the limit itself is not their number."""
    total = error.total if isinstance(error, WindowTooFull) else None
    named = total is not None and total not in {size, size * PAGES_MAX}
    return Answer("name the total" if named else "do not name the total")


def alone(seen: Iterable[bool]) -> Answer:
    """How lists of one row came: as an object, or as a list."""
    kinds = set(seen)
    if not kinds:
        return untold("no list of one was seen")
    words = {frozenset({True}): "an object", frozenset({False}): "a list"}
    return Answer(words.get(frozenset(kinds), "a list or an object"))

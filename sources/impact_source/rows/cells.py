"""Casts texts to their column's type: all at once where they fit, the odd ones one by one and exactly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from .columns import MONEY, TIME, Kind

_ARROW_DIGITS = 38
_FEW = 1_000
"""The number of cells looked at one by one instead of halved further."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_DIGITS = MONEY.precision - MONEY.scale
_SMALLEST = Decimal(1).scaleb(-MONEY.scale)
_COUNTS = range(-(2**63), 2**63)
_CALENDAR: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_FIRST, _LAST = (pa.scalar(end, TIME) for end in _CALENDAR)


@dataclass(frozen=True)
class Misfit:
    """A cell that does not fit its column: why, and whether another request may return it differently."""

    reason: str
    ask_again: bool


@dataclass(frozen=True)
class Cells:
    """The values of a column, NULL for each of the `misfits`, which are given by row."""

    values: pa.Array
    misfits: dict[int, Misfit] = field(default_factory=dict)


class _Unfit(ValueError):
    """Raised for a text that is not a value of the type."""

    def __init__(self, reason: str, *, ask_again: bool = False) -> None:
        self.misfit = Misfit(reason, ask_again)


def cast(texts: pa.Array, kind: Kind) -> Cells:
    """The texts as values of a type. Money is rounded to the column's decimals, half away from zero, as SQL does."""
    if kind is Kind.TEXT:
        return Cells(texts)
    odd = _unsafe(texts) if kind is Kind.MONEY else []
    plain = _without(texts, odd)
    try:
        values = pc.cast(plain, kind.arrow)
    except pa.ArrowInvalid:
        odd = sorted({*odd, *_suspects(plain, kind)})
        values = pc.cast(_without(texts, odd), kind.arrow)
    misfits: dict[int, Misfit] = {}
    if odd:
        alone = texts.take(pa.array(odd)).to_pylist()
        exact = [_exactly(text, kind, row, misfits) for row, text in zip(odd, alone, strict=True)]
        values = pc.replace_with_mask(values, _mask(len(texts), odd), pa.array(exact, kind.arrow))
    return Cells(_within_calendar(values) if kind is Kind.TIME else values, misfits)


def _unsafe(texts: pa.Array) -> list[int]:
    """Rows that Arrow must not see: it misreads more than 38 digits, and crashes on `1e-9999999`."""
    mask = pc.or_(pc.match_substring(texts, "e"), pc.match_substring(texts, "E"))
    mask = pc.or_(mask, pc.greater(pc.binary_length(texts), _ARROW_DIGITS))
    rows: list[int] = pc.indices_nonzero(mask).to_pylist()
    return rows


def _without(texts: pa.Array, rows: list[int]) -> pa.Array:
    return pc.if_else(_mask(len(texts), rows), None, texts) if rows else texts


def _mask(length: int, rows: list[int]) -> pa.Array:
    return pc.is_in(pa.array(range(length)), value_set=pa.array(rows))


def _exactly(text: str | None, kind: Kind, row: int, misfits: dict[int, Misfit]) -> Any:  # noqa: ANN401 - of any type
    """The value of one text; None if it is not a value, which is then among the `misfits`."""
    if text is None:
        return None
    try:
        return _EXACT[kind](text)
    except _Unfit as error:
        misfits[row] = error.misfit
        return None


def _suspects(texts: pa.Array, kind: Kind, offset: int = 0) -> Iterator[int]:
    """Rows that include all that cannot be cast, found by halving."""
    try:
        pc.cast(texts, kind.arrow)
    except pa.ArrowInvalid:
        if len(texts) <= _FEW:
            yield from range(offset, offset + len(texts))
            return
        middle = len(texts) // 2
        yield from _suspects(texts[:middle], kind, offset)
        yield from _suspects(texts[middle:], kind, offset + middle)


def _money(text: str) -> Decimal:
    number = _number(text)
    if number.adjusted() < -MONEY.scale - 1:
        return Decimal(0)
    if number.adjusted() < _DIGITS:
        rounded = number.quantize(_SMALLEST, ROUND_HALF_UP)
        if rounded.adjusted() < _DIGITS:
            return rounded
    msg = f"more than {_DIGITS} digits before the decimal point"
    raise _Unfit(msg)


def _count(text: str) -> int:
    number = _number(text)
    if number.adjusted() < len(str(_COUNTS.stop)):
        if number != number.to_integral_value():
            msg = "not a whole number"
            raise _Unfit(msg)
        if (count := int(number)) in _COUNTS:
            return count
    msg = "too large"
    raise _Unfit(msg)


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text.strip()):
        msg = "not a number"
        raise _Unfit(msg, ask_again=True)
    number = Decimal(text.strip())
    return number or Decimal(0)  # whatever its exponent


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        msg = "not a date and time"
        raise _Unfit(msg, ask_again=True) from None
    if moment.tzinfo is None:
        msg = "a time without an offset from UTC"
        raise _Unfit(msg)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _CALENDAR[moment.year > 1]


def _within_calendar(values: pa.Array) -> pa.Array:
    """The instants, those outside the years 1 to 9999 (UTC) moved to its first or last: few programs go further."""
    ends = pc.min_max(values)
    if not ends["min"].is_valid or (ends["min"].value >= _FIRST.value and ends["max"].value <= _LAST.value):
        return values
    return pc.if_else(pc.less(values, _FIRST), _FIRST, pc.if_else(pc.greater(values, _LAST), _LAST, values))


_EXACT: Final[dict[Kind, Callable[[str], Any]]] = {Kind.MONEY: _money, Kind.COUNT: _count, Kind.TIME: _time}

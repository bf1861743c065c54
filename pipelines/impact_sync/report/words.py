"""Formats figures for a reader."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from impact_source.parsing import start_of
from impact_source.shown import visible

_MINUS: Final = "\N{MINUS SIGN}"
_FEW: Final = 0.01
_DASH: Final = "\N{EN DASH}"


def money(value: Decimal | None) -> str:
    """An amount with two decimals; a dash if there is none."""
    return _DASH if value is None else f"{value:,.2f}".replace("-", _MINUS)


def moved(value: Decimal) -> str:
    """A change of an amount, with its sign."""
    return f"{value:+,.2f}".replace("-", _MINUS)


def change(now: Decimal | int, then: Decimal | int) -> str:
    """The change of a figure: the difference, and its share of the earlier value."""
    by = now - then
    if not by:
        return "unchanged"
    text = f"{by:+,.2f}" if isinstance(by, Decimal) else f"{by:+,}"
    share = f" ({float(by / then):+.1%})" if then > 0 else ""
    return (text + share).replace("-", _MINUS)


def count(value: int | None) -> str:
    """A number of things."""
    return _DASH if value is None else f"{value:,}"


def counted(value: int, thing: str) -> str:
    """A number of things with their name, plural unless it is one."""
    return f"{value:,} {thing}" + ("" if value == 1 else "s")


def percent(share: float | None) -> str:
    """A share with one decimal; a dash if there is none."""
    return _DASH if share is None else f"{share:.1%}".replace("-", _MINUS)


def ratio(part: Decimal | int, whole: Decimal | int) -> float | None:
    """A share; None if the total is zero."""
    return float(part / whole) if whole else None


def day(value: date | None) -> str:
    """A day, or the day of an instant in its own time zone."""
    return _DASH if value is None else f"{value.day} {value:%b %Y}"


def month(value: date | None) -> str:
    """A month."""
    return "no date" if value is None else f"{value:%b %Y}"


def moment(value: datetime | None) -> str:
    """An instant in its own time zone, to the minute."""
    return _DASH if value is None else f"{day(value)}, {value:%H:%M}"


def key(value: datetime | None) -> str:
    """What an instant is sorted by: it comes after every earlier one, whatever the clocks show."""
    return "" if value is None else value.astimezone(UTC).isoformat()


def closing(value: datetime) -> str:
    """An instant at which books were closed: its day if it is the end of one, or the day before if it is midnight."""
    zone = value.tzinfo or UTC
    after = (value.astimezone(UTC) + timedelta(microseconds=1)).astimezone(zone)
    for start in (value, after):
        if start == start_of(start.date(), zone):
            return f"the end of {day((start.astimezone(UTC) - timedelta(microseconds=1)).astimezone(zone))}"
    return moment(value)


def cut(name: str, length: int = 40) -> str:
    """A name shortened to fit, on one line and in its own order."""
    name = visible(name)
    return name if len(name) <= length else name[: length - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def name(text: str) -> str:
    """A name within a sentence: short, and isolated from the text direction around it."""
    return f"\N{FIRST STRONG ISOLATE}{cut(text)}\N{POP DIRECTIONAL ISOLATE}"


def cut_to(shown: int, of: int, which: str) -> str:
    """That a table has only some of its rows; nothing if it has all."""
    return f"The {count(shown)} {which}, of {count(of)}." if shown < of else ""


def settled(actions: int, actions_open: int) -> bool:
    """Whether hardly any of these conversions is still open, so that their reversal rate is as good as final."""
    return actions_open <= actions * _FEW


def currency(code: str | None) -> str:
    """A currency's code."""
    return visible(code) if code else "no currency"

"""Tables that sort: each cell has a text to show and a key to sort by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from . import words

_LONG: Final = 120


@dataclass(frozen=True)
class Cell:
    """A cell. `key` sorts it, as a number if `numeric`; an empty key comes last. A `date` stays on one line."""

    text: str
    key: str = ""
    numeric: bool = False
    date: bool = False


@dataclass(frozen=True)
class Table:
    """Headings and rows of equal length."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True)
class Listing:
    """A table below the charts."""

    title: str
    note: str
    table: Table


def text(value: str | None) -> Cell:
    """A text, or a dash."""
    return Cell(words.cut(value, _LONG), value) if value else Cell("\N{EN DASH}")


def when(shown: str, key: str) -> Cell:
    """A date, sorted by its ISO form."""
    return Cell(shown, key, date=True)


def number(value: int | None) -> Cell:
    """A number of things."""
    return Cell(words.count(value), "" if value is None else str(value), numeric=True)


def amount(value: Decimal | None, shown: str | None = None) -> Cell:
    """An amount."""
    return Cell(shown or words.money(value), "" if value is None else f"{value:f}", numeric=True)


def change(value: Decimal) -> Cell:
    """By how much an amount has changed, with its sign."""
    return amount(value, words.moved(value) if value else None)


def share(part: Decimal | float | None, whole: Decimal | int = 1) -> Cell:
    """A share of a whole."""
    found = None if part is None or not whole else float(part) / float(whole)
    return Cell(words.percent(found), "" if found is None else repr(found), numeric=True)

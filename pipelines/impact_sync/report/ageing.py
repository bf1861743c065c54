"""Commission that is locked and not paid, by how long ago it locked, from the view `payment_ageing`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from . import words
from .scope import Books
from .tables import Cell, Listing, Table, amount, number, text, when

PARTNERS: Final = 15
AGES: Final = ("0 to 30 days", "31 to 60 days", "61 to 90 days", "over 90 days", "not known")
_COLUMNS: Final = ("days_0_to_30", "days_31_to_60", "days_61_to_90", "days_over_90", "days_not_known")


@dataclass(frozen=True)
class Unpaid:
    """One partner's locked commission in one currency; `ages` has its parts in the order of `AGES`."""

    partner_id: str | None
    partner: str | None
    currency: str | None
    actions: int
    total: Decimal
    ages: tuple[Decimal, ...]
    first_lock: datetime | None


def read_unpaid(books: Books) -> tuple[Unpaid, ...]:
    """Every partner that waits for money, the one with the most that is over 90 days old first."""
    ages = ", ".join(f"sum({column})" for column in _COLUMNS)
    rows = books.rows(
        f"""
        select
            media_partner_id, max(media_partner_name), currency, sum(actions), sum(unpaid), min(first_lock), {ages}
        from payment_ageing
        group by media_partner_id, currency
        order by
            sum(days_over_90) desc, sum(days_61_to_90) desc, sum(days_31_to_60) desc, sum(unpaid) desc, media_partner_id
        """
    )
    return tuple(
        Unpaid(id_, name, currency, int(n), Decimal(total), tuple(map(Decimal, parts)), books.local(first))
        for id_, name, currency, n, total, first, *parts in rows
    )


def listing(unpaid: tuple[Unpaid, ...]) -> Listing:
    """The partners that have waited longest, in each currency."""
    places: Counter[str | None] = Counter()
    shown = []
    for one in unpaid:
        places[one.currency] += 1
        if places[one.currency] <= PARTNERS:
            shown.append(one)
    note = words.cut_to(len(shown), len(unpaid), "that have waited longest")
    headings = (
        "Partner",
        "Id",
        "Currency",
        "Conversions",
        "Locked, not paid",
        *map(str.capitalize, AGES),
        "First lock",
    )
    return Listing("Locked and not paid by partner", note, Table(headings, [_row(one) for one in shown]))


def _row(one: Unpaid) -> tuple[Cell, ...]:
    named = text(one.partner), text(one.partner_id), text(words.currency(one.currency))
    first = when(words.day(one.first_lock), words.key(one.first_lock))
    return (*named, number(one.actions), *map(amount, (one.total, *one.ages)), first)

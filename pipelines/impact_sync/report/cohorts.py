"""The reversal rates of the partners with the most conversions in the latest months, from `partner_cohorts`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from . import words
from .scope import Books
from .tables import Cell, Listing, Table, number, share, text

MONTHS: Final = 6
PARTNERS: Final = 10


@dataclass(frozen=True)
class Cohort:
    """The conversions of one partner and event month, in all currencies: they are counted, not added up."""

    partner_id: str | None
    partner: str | None
    month: date
    actions: int
    actions_reversed: int
    actions_open: int

    @property
    def settled(self) -> bool:
        """Whether hardly any is still open, so that the rate is as good as final."""
        return words.settled(self.actions, self.actions_open)


@dataclass(frozen=True)
class Cohorts:
    """The cohorts of the months shown: the partners with the most conversions first, of so many."""

    months: tuple[date, ...]
    partners: tuple[dict[date, Cohort], ...]
    of: int


def read_cohorts(books: Books) -> Cohorts:
    """The cohorts of a few partners in a few months."""
    rows = books.rows(
        f"""
        select media_partner_id, max(media_partner_name), event_month, sum(actions), sum(actions_reversed),
            sum(actions_open)
        from partner_cohorts
        where event_month in (
            select event_month from (select distinct event_month from partner_cohorts where event_month is not null) m
            order by event_month desc limit {MONTHS}
        )
        group by media_partner_id, event_month
        order by media_partner_id, event_month
        """
    )
    found: dict[str | None, dict[date, Cohort]] = defaultdict(dict)
    for id_, name, month, *counts in rows:
        found[id_][month] = Cohort(id_, name, month, *map(int, counts))
    most = sorted(found.values(), key=lambda one: -sum(cohort.actions for cohort in one.values()))
    return Cohorts(tuple(sorted({row[2] for row in rows})), tuple(most[:PARTNERS]), len(most))


def listing(cohorts: Cohorts) -> Listing:
    """A row for each partner, a column for each month."""
    latest = f"Of the conversions of {words.month(cohorts.months[0])} and later." if cohorts.months else ""
    cut = words.cut_to(len(cohorts.partners), cohorts.of, "with the most of these")
    note = f"{latest} So far: more than 1% of a month's are open and can still be reversed. {cut}".strip()
    headings = ("Partner", "Conversions", *map(words.month, cohorts.months))
    rows = [_row(one, cohorts.months) for one in cohorts.partners]
    return Listing("Reversal rate by partner and month of the conversion", note, Table(headings, rows))


def _row(found: dict[date, Cohort], months: tuple[date, ...]) -> tuple[Cell, ...]:
    one = next(iter(found.values()))
    conversions = number(sum(cohort.actions for cohort in found.values()))
    return text(one.partner or one.partner_id), conversions, *(_rate(found.get(month)) for month in months)


def _rate(one: Cohort | None) -> Cell:
    if one is None:
        return Cell(words.percent(None), numeric=True)
    rate = share(one.actions_reversed, one.actions)
    return rate if one.settled else replace(rate, text=f"{rate.text} so far")

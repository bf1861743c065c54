"""The tables below the charts: what is too long for a chart, and how reliable the data is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from . import headline, sentences, words
from .figures import Balance, Figures, Partner
from .gather import TOP_PARTNERS
from .restated import Change
from .tables import Cell, Table, amount, number, share, text, when

_ITEMS: Final = (
    "How complete the line items of conversions are. By feed: those current ones that the change feed tells."
)
_LATEST: Final = "The latest months: the figures above also count the conversions of earlier ones."
_WHENEVER: Final = " Of all conversions, whenever they happened."


@dataclass(frozen=True)
class Listing:
    """A table below the charts."""

    title: str
    note: str
    table: Table


def listings(figures: Figures) -> list[Listing]:
    """The tables below the charts, without empty ones."""
    return [Listing(title, note, table) for title, note, table in _all(figures) if table.rows]


def _all(figures: Figures) -> Iterator[tuple[str, str, Table]]:
    yield "More currencies", "", _currencies(headline.others(figures))
    for currency in figures.balances:
        ranking = figures.rankings[currency]
        code, shown = words.currency(currency), len(ranking.partners)
        note = (
            f"The {TOP_PARTNERS} with the most commission, of {words.count(ranking.of)}." if shown < ranking.of else ""
        )
        yield f"Partners, {code}", note, Table(_PARTNER, [_partner(one) for one in ranking.partners])
    note = _LATEST if sentences.shortened(figures) else ""
    yield "Commission by month of the conversion", note, _months(figures)
    if figures.restated and figures.compared:
        title = f"Largest changes since {words.closing(figures.compared.at)}"
        yield (
            title,
            "Of conversions known then, in each currency; those that arrived since are left out.",
            Table(_CHANGE, [_change(one) for one in figures.restated.largest]),
        )
    note = _ITEMS + (_WHENEVER if figures.since else "")
    yield "Item coverage", " ".join([note, *map(sentences.contradiction, figures.contradictions)]), _coverage(figures)
    yield "Freshness and verification", "", _freshness(figures)


def _currencies(rest: list[tuple[str, Balance]]) -> Table:
    rows = [
        (
            text(code),
            number(of.actions),
            amount(of.revenue),
            *map(amount, (of.accrued, of.at_risk, of.locked, of.paid, of.reversed)),
        )
        for code, of in rest
    ]
    return Table(
        ("Currency", "Conversions", "Revenue", "Accrued", "At risk", "Locked, not paid", "Paid", "Reversed"), rows
    )


_PARTNER: Final = (
    "Partner",
    "Id",
    "Conversions",
    "Reversed",
    "Reversal rate",
    "Revenue",
    "Commission",
    "Rate",
    "At risk",
)


def _partner(one: Partner) -> tuple[Cell, ...]:
    return (
        text(one.name),
        text(one.id),
        number(one.actions),
        number(one.actions_reversed),
        share(one.actions_reversed, one.actions),
        amount(one.revenue),
        amount(one.commission),
        share(one.commission, one.revenue),
        amount(one.at_risk),
    )


def _months(figures: Figures) -> Table:
    rows = [
        (
            when(words.month(one.start), one.start.isoformat() if one.start else ""),
            text(words.currency(one.currency)),
            number(one.actions),
            number(one.actions_reversed),
            *map(amount, (one.accrued, one.at_risk, one.locked, one.paid, one.reversed)),
        )
        for one in figures.months
    ]
    headings = ("Conversions", "Reversed", "Accrued", "At risk", "Locked, not paid", "Paid", "Lost to reversals")
    return Table(("Month", "Currency", *headings), rows)


_CHANGE: Final = ("Seen", "Action", "Partner", "Event", "Kind", "Currency", "Before", "After", "Change")


def _change(one: Change) -> tuple[Cell, ...]:
    return (
        when(words.moment(one.changed_at), words.key(one.changed_at)),
        text(one.action_id),
        text(one.partner),
        when(words.day(one.event_date), words.key(one.event_date)),
        text(one.kind.capitalize()),
        text(words.currency(one.currency)),
        amount(one.before),
        amount(one.after),
        amount(one.commission, words.moved(one.commission)),
    )


def _coverage(figures: Figures) -> Table:
    rows = [
        (
            text(one.campaign_id),
            text(words.currency(one.currency)),
            *map(number, (one.actions, one.current, one.outdated, one.missing, one.not_found)),
            share(one.share_of_actions),
            share(one.share_of_amount),
            number(one.derived),
        )
        for one in figures.coverage
    ]
    counts = ("Conversions", "Current", "Outdated", "Missing", "Not at the API")
    return Table(("Campaign", "Currency", *counts, "Of conversions", "Of revenue", "By feed"), rows)


def _freshness(figures: Figures) -> Table:
    rows = [
        (
            text(one.campaign_id),
            text(one.name),
            number(one.actions),
            *(when(words.moment(at), words.key(at)) for at in (one.as_of, one.latest_event)),
            when(words.moment(one.verified_at) if one.verified_at else "never", words.key(one.verified_at)),
            number(one.drift),
        )
        for one in figures.campaigns
    ]
    headings = ("Conversions", "Read up to", "Latest conversion", "Verified", "Differences")
    return Table(("Campaign", "Name", *headings), rows)

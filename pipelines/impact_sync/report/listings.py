"""The tables below the charts: what is too long for a chart, and how reliable the data is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from . import ageing, cohorts, customers, headline, invoices, reconciled, sentences, words
from .figures import Balance, Figures, Partner
from .restated import KINDS, LARGEST, Change, Partly, Restated
from .tables import Cell, Listing, Table, amount, change, number, share, text, when

_ITEMS: Final = (
    "How complete the line items of conversions are. By feed: those current ones that the change feed tells."
)
_LATEST: Final = "The latest months: the figures above also count the conversions of earlier ones."
_WHENEVER: Final = " Of all conversions, whenever they happened."


def listings(figures: Figures) -> list[Listing]:
    """The tables below the charts, without empty ones."""
    return [one for one in _all(figures) if one.table.rows]


def _all(figures: Figures) -> Iterator[Listing]:
    yield Listing("More currencies", "", _currencies(headline.others(figures)))
    for currency in figures.balances:
        ranking = figures.rankings[currency]
        note = words.cut_to(len(ranking.partners), ranking.of, "with the most commission")
        yield Listing(
            f"Partners, {words.currency(currency)}", note, Table(_PARTNER, [_partner(one) for one in ranking.partners])
        )
    if figures.cohorts:
        yield cohorts.listing(figures.cohorts)
    if figures.customers:
        yield from customers.listings(figures.customers)
    note = _LATEST if sentences.shortened(figures) else ""
    yield Listing("Commission by month of the conversion", note, _months(figures))
    yield ageing.listing(figures.unpaid)
    if figures.invoices:
        yield invoices.listing(figures.invoices)
    if figures.reconciled:
        yield from reconciled.listings(figures.reconciled)
    if figures.restated and figures.compared:
        at = words.closing(figures.compared.at)
        cut = words.cut_to(len(figures.restated.partners), _changed(figures.restated), "that changed most")
        partners = Table(_BY_PARTNER, [_by_partner(one) for one in figures.restated.partners])
        yield Listing(f"Changes by partner since {at}", f"Of conversions up to then. {cut}".strip(), partners)
        yield Listing(
            f"Largest changes since {at}",
            f"The {LARGEST} largest in each currency, of conversions known then; late arrivals are left out.",
            Table(_CHANGE, [_change(one) for one in figures.restated.largest]),
        )
    note = _ITEMS + (_WHENEVER if figures.since else "")
    note = " ".join([note, *map(sentences.contradiction, figures.contradictions)])
    yield Listing("Item coverage", note, _coverage(figures))
    yield Listing("Freshness and verification", "", _freshness(figures))


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
    told = any(one.fees is not None for one in figures.months)
    rows = [
        (
            when(words.month(one.start), one.start.isoformat() if one.start else ""),
            text(words.currency(one.currency)),
            number(one.actions),
            number(one.actions_reversed),
            *map(amount, (one.accrued, one.at_risk, one.locked, one.paid, one.reversed)),
            *([amount(one.fees), amount(one.cost)] if told else []),
        )
        for one in figures.months
    ]
    headings = ("Conversions", "Reversed", "Accrued", "At risk", "Locked, not paid", "Paid", "Lost to reversals")
    costs = ("Fees", "Cost with fees") if told else ()
    return Table(("Month", "Currency", *headings, *costs), rows)


_BY_PARTNER: Final = ("Partner", "Currency", *(f"{kind.capitalize()}s" for kind in KINDS), "Change of commission")


def _changed(restated: Restated) -> int:
    return sum({one.currency: one.of for one in restated.partners}.values())


def _by_partner(one: Partly) -> tuple[Cell, ...]:
    moves = map(change, (*one.by_kind, one.total))
    return text(one.partner or one.partner_id), text(words.currency(one.currency)), *moves


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
        change(one.commission),
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

"""Invoices beside the actions that they should pay, from the view `invoice_tie_out`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from impact_source.dialect import literal

from . import words
from .scope import Books
from .tables import Cell, Listing, Table, amount, text, when

GAPS: Final = 15


@dataclass(frozen=True)
class Gap:
    """What an invoice says for an event month, and what the actions say, where other amounts do not explain it."""

    invoice_id: str | None
    partner: str | None
    month: date | None
    currency: str | None
    invoiced: Decimal
    owed: Decimal
    other: Decimal
    unexplained: Decimal
    explanation: str
    actions: str | None


@dataclass(frozen=True)
class Invoices:
    """Invoices are split by event month and campaign: how many such parts there are, and the largest gaps."""

    months: int
    differing: int
    """Parts that differ from their actions."""
    unexplained: int
    """Those that other amounts, such as a bonus, do not explain, and paid actions that are on no invoice."""
    gaps: tuple[Gap, ...]


def read_invoices(books: Books) -> Invoices:
    """The invoices of the scope; with `since`, of event months from that month on."""
    where = books.scope.of_campaigns
    if since := books.local(books.scope.since):
        where += f" and event_month >= cast({literal(f'{since:%Y-%m}-01')} as date)"
    gap = "(unexplained <> 0 or invoice_id is null)"
    ((months, differing, unexplained),) = books.rows(
        f"""
        select
            count(*), sum(case when difference <> 0 or invoice_id is null then 1 else 0 end),
            sum(case when {gap} then 1 else 0 end)
        from invoice_tie_out
        where {where}
        """
    )
    rows = books.rows(
        f"""
        select
            invoice_id, media_partner_name, event_month, currency, net_amount, payout, other_amount, unexplained,
            explanation, explaining_actions
        from (
            select *, row_number() over (
                partition by currency order by abs(unexplained) desc, invoice_id, event_month
            ) as place
            from invoice_tie_out
            where {where} and {gap}
        ) ranked
        where place <= {GAPS}
        order by currency, place
        """
    )
    return Invoices(int(months), int(differing or 0), int(unexplained or 0), tuple(Gap(*row) for row in rows))


def listing(invoices: Invoices) -> Listing:
    """The largest gaps, with what explains them."""
    texts, money = ("Invoice", "Partner", "Month", "Currency"), ("On the invoice", "By the actions")
    headings = (*texts, *money, "Other amount", "Unexplained", "What differs", "Actions")
    cut = words.cut_to(len(invoices.gaps), invoices.unexplained, "with the largest gaps")
    note = f"Without VAT. {cut}".strip()
    if others := invoices.differing - invoices.unexplained:
        note += f" {words.counted(others, 'more month')} of invoices differ by other amounts only, such as a bonus."
    return Listing(
        "Invoices that do not agree with their actions", note, Table(headings, [_row(one) for one in invoices.gaps])
    )


def _row(one: Gap) -> tuple[Cell, ...]:
    return (
        text(one.invoice_id),
        text(one.partner),
        when(words.month(one.month), one.month.isoformat() if one.month else ""),
        text(words.currency(one.currency)),
        *map(amount, (one.invoiced, one.owed, one.other, one.unexplained)),
        text(one.explanation),
        text(one.actions),
    )

"""What the last reconciliation with the shop's own orders found, from the tables that `impact reconcile` writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from impact_source.dialect import instant, literal

from ..reconcile.ledger import Ledger
from . import words
from .scope import Books, Scope
from .tables import Cell, Listing, Table, amount, change, number, text, when

FOREMOST: Final = 10
_SOON: Final = timedelta(days=7)


@dataclass(frozen=True)
class Total:
    """Differences of one kind, standing and currency; commission is paid too much or too little."""

    kind: str
    standing: str
    currency: str | None
    differences: int
    correctable: int
    too_much: Decimal
    too_little: Decimal


@dataclass(frozen=True)
class Difference:
    """One order or action that differs; `commission` as in `reconciliation_lines`."""

    locking_date: datetime | None
    order_id: str | None
    action_id: str | None
    partner: str | None
    kind: str
    standing: str
    currency: str | None
    expected: Decimal | None
    found: Decimal | None
    commission: Decimal | None


@dataclass(frozen=True)
class Reconciled:
    """The last reconciliation: its totals, and the differences that matter most."""

    at: datetime
    since: datetime | None
    """Orders from here on were compared; None for all."""
    until: datetime | None
    orders: int
    matched: int
    totals: tuple[Total, ...]
    foremost: tuple[Difference, ...]

    @property
    def differences(self) -> int:
        """All of them."""
        return sum(one.differences for one in self.totals)

    @property
    def correctable(self) -> int:
        """Those that can still be corrected."""
        return sum(one.correctable for one in self.totals)


def read_reconciled(books: Books) -> Reconciled | None:
    """Read it; None if nothing was ever reconciled, or if the report is limited.

    Which conversions a reconciliation covered is not known well enough to say of a part of them that nothing differs.
    """
    if books.scope != Scope():
        return None
    found = Ledger(books.pipeline).latest()
    if found is None:
        return None
    head, _ = found
    where = f"run_id = {literal(head['run_id'])} and standing <> 'settled'"
    totals = books.rows(
        f"""
        select
            kind, standing, coalesce(currency, order_currency), count(*),
            sum(case when standing = 'open' and remedy <> 'nothing' then 1 else 0 end),
            sum(case when commission > 0 then commission else 0 end),
            sum(case when commission < 0 then -commission else 0 end)
        from reconciliation_lines
        where {where}
        group by 1, 2, 3
        order by case standing when 'open' then 0 else 1 end, 1, 2, 3
        """
    )
    soon = instant(books.local(head["as_of"]) + _SOON)
    foremost = books.rows(
        f"""
        select
            locking_date, order_id, action_id, media_partner_name, kind, standing, coalesce(currency, order_currency),
            expected_amount, action_amount, commission
        from reconciliation_lines
        where {where}
        order by
            case standing when 'open' then 0 else 1 end, case remedy when 'nothing' then 1 else 0 end,
            case when locking_date <= {soon} then 0 else 1 end, abs(commission) desc nulls last,
            locking_date nulls last, order_id, sku, action_id
        limit {FOREMOST}
        """
    )
    return Reconciled(
        books.local(head["reconciled_at"]),
        books.local(head["since"]),
        books.local(head["until"]),
        head["orders"],
        head["matched"],
        tuple(Total(*row[:3], *map(int, row[3:5]), *map(Decimal, row[5:])) for row in totals),
        tuple(Difference(books.local(locking), *rest) for locking, *rest in foremost),
    )


def listings(found: Reconciled) -> Iterator[Listing]:
    """The totals, and what should be looked at first."""
    note = (
        f"{words.counted(found.orders, 'order')} compared on {words.moment(found.at)}, "
        f"{words.count(found.matched)} with an action."
    )
    headings = ("Difference", "State", "Currency", "Number", "Correctable", "Overpaid", "Underpaid")
    yield Listing("Own orders that differ", note, Table(headings, [_total(one) for one in found.totals]))
    cut = words.cut_to(len(found.foremost), found.differences, "that matter most")
    titles = ("Order", "Action", "Partner", "Difference", "Currency", "Amount due", "Amount", "Overpaid", "Open until")
    yield Listing("Own orders to look at first", cut, Table(titles, [_difference(one) for one in found.foremost]))


def _total(one: Total) -> tuple[Cell, ...]:
    texts = (_words(one.kind), one.standing, words.currency(one.currency))
    counts = map(number, (one.differences, one.correctable))
    return *map(text, texts), *counts, amount(one.too_much), amount(one.too_little)


def _difference(one: Difference) -> tuple[Cell, ...]:
    until = (
        when(words.moment(one.locking_date), words.key(one.locking_date))
        if one.standing == "open"
        else text(one.standing)
    )
    return (
        *map(text, (one.order_id, one.action_id, one.partner, _words(one.kind), words.currency(one.currency))),
        amount(one.expected),
        amount(one.found),
        amount(None) if one.commission is None else change(one.commission),
        until,
    )


def _words(kind: str) -> str:
    return kind.replace("_", " ").capitalize()

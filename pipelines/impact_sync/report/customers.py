"""Which customers conversions bring, and with which promo codes, from the view `customer_mix`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from . import words
from .scope import Books
from .tables import Cell, Listing, Table, amount, number, share, text

CODES: Final = 10
_TOP: Final = 10


@dataclass(frozen=True)
class Group:
    """The conversions of one customer status, or of one promo code; money counts those that are not reversed."""

    name: str | None
    currency: str | None
    actions: int
    actions_reversed: int
    revenue: Decimal
    commission: Decimal
    of: int
    """How many groups the currency has."""
    all_actions: int
    """Conversions of all of them."""


@dataclass(frozen=True)
class Customers:
    """In each currency the statuses and the promo codes with the most commission."""

    statuses: tuple[Group, ...]
    codes: tuple[Group, ...]


def read_customers(books: Books) -> Customers:
    """The largest groups; no statuses if no conversion has one."""
    statuses = _groups(books, "customer_status", "1 = 1", _TOP)
    codes = _groups(books, "promo_code", "promo_code is not null", CODES)
    return Customers(statuses if any(one.name for one in statuses) else (), codes)


def _groups(books: Books, column: str, where: str, most: int) -> tuple[Group, ...]:
    rows = books.rows(
        f"""
        select name, currency, actions, actions_reversed, amount, payout, groups, all_actions
        from (
            select
                *, count(*) over (partition by currency) as groups,
                sum(actions) over (partition by currency) as all_actions,
                row_number() over (partition by currency order by payout desc, actions desc, name) as place
            from (
                select
                    {column} as name, currency, sum(actions) as actions, sum(actions_reversed) as actions_reversed,
                    sum(amount) as amount, sum(payout) as payout
                from customer_mix
                where {where}
                group by {column}, currency
            ) added
        ) ranked
        where place <= {most}
        order by currency, place
        """
    )
    return tuple(
        Group(name, currency, int(n), int(lost), Decimal(revenue), Decimal(commission), int(of), int(all_))
        for name, currency, n, lost, revenue, commission, of, all_ in rows
    )


def listings(customers: Customers) -> Iterator[Listing]:
    """A table of the statuses, and one of the codes."""
    headings = ("Currency", "Conversions", "Share", "Reversal rate", "Revenue", "Commission", "Rate")
    by_status = Table(("Customers", *headings), [_row(one) for one in customers.statuses])
    yield Listing("New and existing customers", _note(customers.statuses), by_status)
    by_code = Table(("Code", *headings), [_row(one) for one in customers.codes])
    note = f"The share is of the conversions with a code. {_note(customers.codes)}".strip()
    yield Listing("Promo codes", note, by_code)


def _row(one: Group) -> tuple[Cell, ...]:
    return (
        text(one.name),
        text(words.currency(one.currency)),
        number(one.actions),
        share(one.actions, one.all_actions),
        share(one.actions_reversed, one.actions),
        amount(one.revenue),
        amount(one.commission),
        share(one.commission, one.revenue),
    )


def _note(groups: tuple[Group, ...]) -> str:
    of = sum({one.currency: one.of for one in groups}.values())
    return words.cut_to(len(groups), of, "with the most commission")

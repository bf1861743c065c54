"""What has changed since an instant in the conversions up to it, from the view `restatements`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from impact_source.dialect import instant, literal

from .scope import Books

PARTNERS: Final = 10
KINDS: Final = ("arrival", "reversal", "restoration", "correction")
LARGEST: Final = 15


@dataclass(frozen=True)
class Moved:
    """Changes of one kind to the conversions of one month and currency, and their effect on the commission."""

    month: date
    currency: str | None
    kind: str
    changes: int
    commission: Decimal


@dataclass(frozen=True)
class Change:
    """One change of one conversion."""

    changed_at: datetime
    action_id: str
    partner: str | None
    event_date: datetime
    currency: str | None
    kind: str
    before: Decimal | None
    after: Decimal | None
    commission: Decimal


@dataclass(frozen=True)
class Partly:
    """One partner's changes in one currency, by kind: their effect on the commission."""

    partner_id: str | None
    partner: str | None
    currency: str | None
    by_kind: tuple[Decimal, ...]
    """In the order of `KINDS`."""
    total: Decimal
    of: int
    """How many partners of the currency have changes."""


@dataclass(frozen=True)
class Restated:
    """All changes; in each currency the partners that changed most, and the largest changes of known conversions."""

    moved: tuple[Moved, ...]
    largest: tuple[Change, ...]
    partners: tuple[Partly, ...] = ()


def read_restated(books: Books, at: datetime, unknown: tuple[str, ...]) -> Restated:
    """Changes seen after `at` to conversions up to it; skips campaigns `unknown` then: all of theirs would be one."""
    listed = ", ".join(map(literal, unknown))
    where = f"changed_at > {instant(at)} and event_date <= {instant(at)} and {books.scope.within}"
    where += f" and campaign_id not in ({listed})" if unknown else ""
    moved = books.rows(
        f"""
        select event_month, currency, kind, count(*), sum(payout_change)
        from restatements
        where {where}
        group by event_month, currency, kind
        order by event_month, currency, kind
        """
    )
    largest = books.rows(
        f"""
        select
            changed_at, action_id, media_partner_name, event_date, currency, kind, payout_before, payout, payout_change
        from (
            select
                *, row_number() over (partition by currency order by abs(payout_change) desc, action_id, changed_at)
                    as place
            from restatements
            where {where} and kind <> 'arrival' and payout_change <> 0
        ) ranked
        where place <= {LARGEST}
        order by currency, place
        """
    )
    by_kind = ", ".join(f"sum(case when kind = '{kind}' then payout_change else 0 end)" for kind in KINDS)
    partners = books.rows(
        f"""
        select *
        from (
            select
                media_partner_id, max(media_partner_name), currency, sum(payout_change) as total,
                count(*) over (partition by currency),
                row_number() over (partition by currency order by abs(sum(payout_change)) desc, media_partner_id)
                    as place,
                {by_kind}
            from restatements
            where {where}
            group by media_partner_id, currency
        ) ranked
        where place <= {PARTNERS}
        order by currency, place
        """
    )
    changes = (
        Change(books.local(seen), id_, name, books.local(event), *rest) for seen, id_, name, event, *rest in largest
    )
    partly = (
        Partly(id_, name, currency, tuple(kinds), total, of) for id_, name, currency, total, of, _, *kinds in partners
    )
    return Restated(tuple(Moved(*row) for row in moved), tuple(changes), tuple(partly))

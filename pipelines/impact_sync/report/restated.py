"""What has changed since an instant in the conversions up to it, from the view `restatements`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from impact_source.dialect import instant, literal

from .scope import Books

KINDS: Final = ("arrival", "reversal", "restoration", "correction")
LARGEST: Final = 25


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
class Restated:
    """All changes, and in each currency the largest ones of conversions that were known before."""

    moved: tuple[Moved, ...]
    largest: tuple[Change, ...]


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
    changes = (
        Change(books.local(seen), id_, name, books.local(event), *rest) for seen, id_, name, event, *rest in largest
    )
    return Restated(tuple(Moved(*row) for row in moved), tuple(changes))

"""The figures of a report, read from the views: added up in SQL, so that no action is ever fetched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from impact_source.dialect import instant
from impact_source.parsing import start_of

from . import words
from .ageing import read_unpaid
from .closed import read_closed
from .cohorts import read_cohorts
from .customers import read_customers
from .figures import (
    Balance,
    Comparison,
    Currency,
    Daily,
    Figures,
    Lock,
    Month,
    Partner,
    Ranking,
)
from .invoices import read_invoices
from .quality import read_contradictions, read_coverage, read_freshness, read_rejected
from .reconciled import read_reconciled
from .restated import read_restated
from .scope import Books

TOP_PARTNERS: Final = 25
_DAYS: Final = timedelta(days=180)
_UNITS: Final = ((timedelta(days=186), "day"), (timedelta(days=1_100), "week"))
"""The longest span for which a bar is a day or a week; beyond these, a month."""
_MONTHS: Final = 13
_FEES = "sum(case when stage <> 'reversed' and client_cost is not null then client_cost - coalesce(payout, 0) end)"


def read(books: Books, compare_to: datetime | None = None, close: date | None = None) -> Figures:
    """The figures of a report; `compare_to` defaults to the last month end before the data's `as_of`.

    With `close`, the first day of a closed month, it is the instant at which that was closed.
    """
    closed = read_closed(books, close) if close else None
    compare_to = closed.known_at if closed else compare_to
    campaigns = read_freshness(books)
    as_of = max((one.as_of for one in campaigns if one.as_of), default=None)
    at = books.local(compare_to or (month_end(as_of) if as_of else None))
    filled = books.holds("settlement")
    compared = _comparison(books, at) if filled and at else None
    told = compared is not None and not compared.missing
    unit, daily = _daily(books, as_of) if filled else ("day", ())
    return Figures(
        campaigns=campaigns,
        as_of=as_of,
        since=books.local(books.scope.since),
        balances=_balances(books) if filled else {},
        compared=compared,
        daily=daily,
        unit=unit,
        months=_months(books) if filled else (),
        locks=_locks(books) if filled else (),
        rankings=_rankings(books) if filled else {},
        restated=read_restated(books, compared.at, compared.unknown) if compared and told else None,
        coverage=read_coverage(books) if books.holds("item_coverage") else (),
        rejected=read_rejected(books),
        contradictions=read_contradictions(books),
        zone=books.zone.key,
        zone_unknown=books.zone_unknown,
        first_event=_first_event(books) if filled else None,
        closed=closed,
        unpaid=read_unpaid(books) if filled else (),
        cohorts=read_cohorts(books) if filled else None,
        customers=read_customers(books) if filled else None,
        invoices=read_invoices(books) if books.holds("invoice_tie_out") else None,
        reconciled=read_reconciled(books),
    )


def month_end(moment: datetime) -> datetime:
    """The start of the month that an instant lies in, by its own time zone; the month before, if it is itself a start.

    The instant's time zone must know its own changes, as `ZoneInfo` does.
    """
    zone = moment.tzinfo or UTC
    before = (moment.astimezone(UTC) - timedelta(microseconds=1)).astimezone(zone)
    return start_of(before.date().replace(day=1), zone).astimezone(zone)


def _balances(books: Books, at: datetime | None = None) -> dict[Currency, Balance]:
    rows = books.rows(
        f"""
        select
            currency, count(*),
            sum(case when stage = 'reversed' then 1 else 0 end),
            sum(case when stage <> 'reversed' then coalesce(amount, 0) else 0 end),
            sum(case when stage <> 'reversed' then coalesce(payout, 0) else 0 end),
            sum(at_risk),
            sum(case when state = 'APPROVED' then at_risk else 0 end),
            sum(case when stage = 'locked' then coalesce(payout, 0) else 0 end),
            sum(case when stage = 'paid' then coalesce(payout, 0) else 0 end),
            sum(case when stage = 'reversed' then coalesce(intended_payout, 0) else 0 end),
            {_FEES}
        from settlement
        group by currency
        order by count(*) desc, currency
        """,
        at,
    )
    return {
        currency: replace(Balance(actions, lost, *map(_money, money)), fees=fees)
        for currency, actions, lost, *money, fees in rows
    }


def _first_event(books: Books) -> datetime | None:
    ((first,),) = books.rows("select min(event_date) from settlement")
    found: datetime | None = first
    return books.local(found)


def _comparison(books: Books, at: datetime) -> Comparison:
    if not books.holds("action_history"):
        return Comparison(at, {}, missing="the history of actions is turned off")
    begun = books.rows(
        f"select campaign_id, min(valid_from) from action_history where {books.scope.of_campaigns} group by campaign_id"
    )
    first = {campaign_id: moment for campaign_id, found in begun if (moment := books.local(found))}
    if first and min(first.values()) > at:
        return Comparison(at, {}, missing=f"the history begins later, on {words.moment(min(first.values()))}")
    if not first:
        return Comparison(at, {}, missing="there is no history yet")
    unknown = tuple(sorted(campaign_id for campaign_id, moment in first.items() if moment > at))
    ((read_up_to,),) = books.rows(f"select max(as_of) from synced_until where {books.scope.of_campaigns}", at)
    return Comparison(at, _balances(books, at), books.local(read_up_to), unknown=unknown)


def _daily(books: Books, as_of: datetime | None) -> tuple[str, tuple[Daily, ...]]:
    """Conversions up to the latest event that is not in the future, and the unit of the bars."""
    until = f"event_date <= {instant(as_of)}" if as_of else "1 = 1"
    ((first, last),) = books.rows(f"select min(event_date), max(event_date) from settlement where {until}")
    start, end = books.local(first), books.local(last)
    if start is None or end is None:
        return "day", ()
    if books.scope.since is None and end - start >= _DAYS:
        start = max(start, start_of(end.date() - _DAYS + timedelta(days=1), books.zone))
    unit = next((unit for span, unit in _UNITS if end - start <= span), "month")
    rows = books.rows(
        f"""
        select
            cast(date_trunc('{unit}', event_date at time zone 'account') as date), currency, stage, count(*),
            sum(case when stage = 'reversed' then coalesce(intended_payout, 0) else coalesce(payout, 0) end)
        from settlement
        where event_date >= {instant(start)} and {until}
        group by 1, 2, 3
        order by 1, 2, 3
        """
    )
    return unit, tuple(Daily(start, currency, stage, n, _money(money)) for start, currency, stage, n, money in rows)


def _months(books: Books) -> tuple[Month, ...]:
    """The latest months; with `since`, all of them."""
    rows = books.rows(
        f"""
        select
            cast(date_trunc('month', event_date at time zone 'account') as date), currency, count(*),
            sum(case when stage = 'open' then 1 else 0 end),
            sum(case when stage = 'reversed' then 1 else 0 end),
            sum(case when stage <> 'reversed' then coalesce(payout, 0) else 0 end),
            sum(at_risk),
            sum(case when stage = 'locked' then coalesce(payout, 0) else 0 end),
            sum(case when stage = 'paid' then coalesce(payout, 0) else 0 end),
            sum(case when stage = 'reversed' then coalesce(intended_payout, 0) else 0 end),
            {_FEES}
        from settlement
        group by 1, 2
        order by 1, 2
        """
    )
    found = [replace(Month(*row[:5], *map(_money, row[5:-1])), fees=row[-1]) for row in rows]
    starts = sorted({one.start for one in found if one.start})
    kept = {*(starts if books.scope.since else starts[-_MONTHS:]), None}
    return tuple(one for one in found if one.start in kept)


def _locks(books: Books) -> tuple[Lock, ...]:
    rows = books.rows(
        """
        select locking_week, currency, sum(actions), sum(actions_approved), sum(at_risk)
        from lock_calendar
        group by locking_week, currency
        order by locking_week, currency
        """
    )
    return tuple(Lock(week, currency, int(n), int(done), _money(money)) for week, currency, n, done, money in rows)


def _rankings(books: Books) -> dict[Currency, Ranking]:
    rows = books.rows(
        f"""
        select * from (
            select
                media_partner_id, media_partner_name, currency, actions, actions_reversed, amount, paid, locked,
                at_risk,
                row_number() over (partition by currency order by payout desc, actions desc, media_partner_id)
                    as place,
                count(*) over (partition by currency) as partners, sum(payout) over (partition by currency) as total
            from (
                select
                    media_partner_id, max(media_partner_name) as media_partner_name, currency, count(*) as actions,
                    sum(case when stage = 'reversed' then 1 else 0 end) as actions_reversed,
                    sum(case when stage <> 'reversed' then coalesce(amount, 0) else 0 end) as amount,
                    sum(case when stage <> 'reversed' then coalesce(payout, 0) else 0 end) as payout,
                    sum(case when stage = 'paid' then coalesce(payout, 0) else 0 end) as paid,
                    sum(case when stage = 'locked' then coalesce(payout, 0) else 0 end) as locked,
                    sum(at_risk) as at_risk
                from settlement
                group by media_partner_id, currency
            ) added
        ) ranked
        where place <= {TOP_PARTNERS}
        order by currency, place
        """
    )
    found: dict[Currency, Ranking] = {}
    for id_, name, currency, actions, lost, *money, _, of, total in rows:
        partner = Partner(id_, name, currency, int(actions), int(lost), *map(_money, money))
        before = found[currency].partners if currency in found else ()
        found[currency] = Ranking((*before, partner), of, _money(total))
    return found


def _money(value: Any) -> Decimal:  # noqa: ANN401 - drivers return numbers of several kinds
    return Decimal(value or 0)

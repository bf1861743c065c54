"""Explains each chart in a sentence or two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from impact_source.shown import visible

from . import words
from .ageing import AGES, Unpaid
from .figures import Comparison, Contradiction, Daily, Figures, Lock, Month, Ranking
from .restated import KINDS, Moved

_TWO_WEEKS: Final = timedelta(weeks=2)
_TOP: Final = 10
_OLDEST: Final = AGES.index("over 90 days")
_LATE: Final = timedelta(days=1)


def conversions(figures: Figures) -> str:
    """How many, when, and how many of them were reversed."""
    days = figures.daily
    if not days:
        return "There are no conversions with a date."
    total = sum(one.actions for one in days)
    lost = sum(one.actions for one in days if one.stage == "reversed")
    first, last = min(one.start for one in days), max(one.start for one in days)
    span = f"from {words.day(first)} to {words.day(last)}" if first != last else f"on {words.day(first)}"
    if figures.unit != "day":
        span = f"since {words.day(first)}"
    known = sum(one.actions for one in figures.balances.values())
    of = f", of {words.count(known)} in all" if known > total else ""
    return (
        f"{words.counted(total, 'conversion')} {span}{of}; {words.count(lost)} of them "
        f"({words.percent(words.ratio(lost, total))}) are reversed and drawn below the line."
    )


def shortened(figures: Figures) -> bool:
    """Whether the months shown reach back less far than the conversions."""
    return sum(one.actions for one in figures.months) < sum(one.actions for one in figures.balances.values())


def commission(days: Sequence[Daily], code: str, accrued: Decimal) -> str:
    """The standing commission of these days (out of all `accrued`), how much is still open, and what was lost."""
    stands = _sum(one.commission for one in days if one.stage != "reversed")
    still = _sum(one.commission for one in days if one.stage == "open")
    lost = _sum(one.commission for one in days if one.stage == "reversed")
    if not days:
        return f"No conversions in {code} on these days."
    since = words.day(min(one.start for one in days))
    what = "Commission" if stands == accrued else f"Commission on conversions since {since}"
    of = "" if stands == accrued else f" of {words.money(accrued)} in all"
    return (
        f"{what} is {code} {words.money(stands)}{of}; {words.money(still)} "
        f"({words.percent(words.ratio(still, stands))}) of it is still open. Reversals, below the line, took "
        f"{words.money(lost)}."
    )


def locks(found: Sequence[Lock], code: str, as_of: datetime | None) -> str:
    """What can still be reversed, and how much of it locks soon."""
    total = _sum(one.at_risk for one in found)
    if not found or as_of is None:
        return f"Nothing in {code} is open: no commission is at risk."
    end = (as_of + _TWO_WEEKS).date()
    soon = _sum(one.at_risk for one in found if one.week and one.week <= end - timedelta(days=6))
    text = (
        f"{code} {words.money(total)} can still be reversed; {words.money(soon)} of it locks in weeks that end by "
        f"{words.day(end)}: make corrections before then."
    )
    if unknown := _sum(one.at_risk for one in found if one.week is None):
        text += f" The locking date of {words.money(unknown)} is unknown."
    return text


def ageing(unpaid: Sequence[Unpaid], code: str) -> str:
    """How much waits for payment, and whose wait is the longest."""
    total, old = _sum(one.total for one in unpaid), _sum(one.ages[_OLDEST] for one in unpaid)
    text = f"{code} {words.money(total)} of {words.counted(len(unpaid), 'partner')} is locked and not paid; "
    if not old:
        return f"{text}none of it is known to have locked more than 90 days ago."
    most = max(unpaid, key=lambda one: one.ages[_OLDEST])
    name = words.name(most.partner or most.partner_id or "No partner")
    return (
        f"{text}{words.money(old)} ({words.percent(words.ratio(old, total))}) locked more than 90 days ago, "
        f"{words.money(most.ages[_OLDEST])} of it for {name}."
    )


def cohorts(months: Sequence[Month]) -> list[Month]:
    """The months with all currencies combined: these are numbers of conversions, not money."""
    found: dict[object, Month] = {}
    for one in months:
        if (other := found.get(one.start)) is not None:
            found[one.start] = replace(
                other,
                actions=other.actions + one.actions,
                actions_open=other.actions_open + one.actions_open,
                actions_reversed=other.actions_reversed + one.actions_reversed,
            )
        else:
            found[one.start] = one
    return list(found.values())


def reversals(months: Sequence[Month], *, whole: bool = True) -> str:
    """The rate of the settled months, and what the others can still become; `whole` if all are shown."""
    if not months:
        return "There are no conversions."
    final = [one for one in months if one.settled]
    if not final:
        return "No month is settled yet: in each, more than 1% of the conversions are open and can still be reversed."
    lost, of = sum(one.actions_reversed for one in final), sum(one.actions for one in final)
    text = (
        f"In the {words.counted(len(final), 'month')} with hardly any conversions still open, "
        f"{words.percent(words.ratio(lost, of))} of them were reversed"
    )
    if young := [one for one in months if not one.settled]:
        still = sum(one.actions_open for one in young)
        text += f"; in the other {words.counted(len(young), 'month')}, {words.count(still)} still can be"
    return f"{text}." if whole else f"{text}. Earlier months are not shown."


def partners(ranking: Ranking, code: str) -> str:
    """Who leads, and how much depends on a few."""
    if not ranking.partners:
        return f"No partner has conversions in {code}."
    leader = ranking.partners[0]
    name = words.name(leader.name or leader.id or "No partner")
    first = words.percent(words.ratio(leader.commission, ranking.commission))
    if ranking.of <= _TOP:
        return f"{name} has {first} of the commission of {words.counted(ranking.of, 'partner')}."
    top = _sum(one.commission for one in ranking.partners[:_TOP])
    share = words.percent(words.ratio(top, ranking.commission))
    return f"{_TOP} of {words.count(ranking.of)} partners have {share} of the commission; {name} leads with {first}."


def restated(moved: Sequence[Moved], code: str, compared: Comparison | None) -> str:
    """What changed since, by kind."""
    if compared is None or not moved:
        return f"No {code} commission on conversions up to then has changed since."
    total = _sum(one.commission for one in moved)
    parts = []
    for kind in KINDS:
        if of := [one for one in moved if one.kind == kind]:
            by = words.moved(_sum(one.commission for one in of))
            parts.append(f"{words.counted(sum(one.changes for one in of), kind)} {by}")
    text = f"Commission on conversions up to then has changed by {code} {words.moved(total)}: {', '.join(parts)}."
    if compared.as_of and compared.at - compared.as_of > _LATE:
        text += (
            f" The last sync before then read up to {words.moment(compared.as_of)}; "
            "later conversions count as arrivals."
        )
    return text


def contradiction(one: Contradiction) -> str:
    """Why the items of a campaign do not come from its change feed."""
    why = visible(one.example).rstrip(".")
    return f"Those of campaign {one.campaign_id} come from lists only, since one contradicts its change feed: {why}."


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))

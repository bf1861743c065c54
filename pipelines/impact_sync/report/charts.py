"""The charts of a report, each with a sentence that explains it and its data as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from . import sentences, spans, vega, words
from .ageing import AGES, Unpaid
from .chart import Chart, id_of
from .figures import Currency, Figures, Lock
from .restated import KINDS, Moved
from .tables import Cell, Table, amount, change, number, share, text, when
from .timelines import commission, conversions

DRAWN_CURRENCIES: Final = 3
_KINDS: Final = {kind: kind.capitalize() for kind in KINDS}
_WEEKS: Final = 26
_PARTNERS: Final = 12
_FINAL, _SO_FAR = "Reversed", "Reversed so far"
_PARTS: Final = ("Paid", "Locked", "Open")


def draw(figures: Figures) -> list[Chart]:
    """Draw all charts; those of money once for each of the currencies with the most conversions."""
    drawn = list(figures.balances)[:DRAWN_CURRENCIES]
    return list(_all(figures, drawn)) if drawn else []


def _all(figures: Figures, drawn: Sequence[Currency]) -> Iterator[Chart]:
    yield conversions(figures)
    for currency in drawn:
        yield commission(figures, currency)
    for currency in drawn:
        yield _locks(figures, currency)
    for currency in drawn:
        if unpaid := [one for one in figures.unpaid if one.currency == currency]:
            yield _ageing(figures, unpaid, currency)
    yield _cohorts(figures)
    for currency in drawn:
        yield _partners(figures, currency)
    if figures.restated is not None:
        for currency in drawn:
            yield _restated(figures, currency)


def _locks(figures: Figures, currency: Currency) -> Chart:
    locks = [one for one in figures.locks if one.currency == currency]
    known = [one for one in locks if one.week]
    first = min((one.week for one in known if one.week), default=date.min)
    near = [one for one in known if one.week and one.week - first < timedelta(weeks=_WEEKS)]
    bars = [(words.day(one.week), one.at_risk, one.actions) for one in near]
    for name, rest in (("later", known[len(near) :]), ("not known", [one for one in locks if not one.week])):
        if rest:
            bars.append((name, sum((one.at_risk for one in rest), Decimal(0)), sum(one.actions for one in rest)))
    code = words.currency(currency)
    title = f"Commission at risk by the week it locks, {code}"
    values = [
        {
            "week": name,
            "place": place,
            "value": float(money),
            "said": f"{words.money(money)} {code}",
            "actions": words.count(actions),
        }
        for place, (name, money, actions) in enumerate(bars)
    ]
    spec = vega.chart(
        title,
        values,
        mark={"type": "bar", "color": vega.colour("Open")},
        encoding={
            "x": vega.by_name("week", labelAngle=-40),
            "y": vega.amount("value", "at risk"),
            "tooltip": vega.tooltip(week="Week from", said="At risk", actions="Conversions"),
        },
    )
    rows = [_lock_row(one) for one in locks]
    table = Table(("Week from", "Conversions", "Approved before", "At risk"), rows)
    reading = sentences.locks(locks, code, figures.as_of)
    span = spans.all_of(figures, "open conversions")
    return Chart(id_of("locks", currency), title, reading, span, spec if values else None, table, ("Open",))


def _lock_row(one: Lock) -> tuple[Cell, ...]:
    week = when(words.day(one.week), one.week.isoformat()) if one.week else text("not known")
    return week, number(one.actions), number(one.approved), amount(one.at_risk)


def _ageing(figures: Figures, unpaid: Sequence[Unpaid], currency: Currency) -> Chart:
    sums = [sum((one.ages[place] for one in unpaid), Decimal(0)) for place in range(len(AGES))]
    bars = [(age, money) for age, money in zip(AGES, sums, strict=True) if money or age != AGES[-1]]
    code = words.currency(currency)
    title = f"Locked and not paid by age, {code}"
    values = [
        {"age": age, "place": place, "value": float(money), "said": f"{words.money(money)} {code}"}
        for place, (age, money) in enumerate(bars)
    ]
    spec = vega.chart(
        title,
        values,
        mark={"type": "bar", "color": vega.colour("Locked")},
        encoding={
            "x": vega.by_name("age", labelAngle=0),
            "y": vega.amount("value", "locked, not paid"),
            "tooltip": vega.tooltip(age="Since the lock", said="Locked, not paid"),
        },
    )
    table = Table(("Since the lock", "Locked, not paid"), [(text(age), amount(money)) for age, money in bars])
    reading = sentences.ageing(unpaid, code)
    span = spans.all_of(figures, "locked and unpaid conversions", f"; days up to {words.day(figures.as_of)}")
    return Chart(id_of("ageing", currency), title, reading, span, spec, table, ("Locked",))


def _cohorts(figures: Figures) -> Chart:
    found = sentences.cohorts(figures.months)
    values = [
        {
            "month": words.month(one.start),
            "place": place,
            "kind": _FINAL if one.settled else _SO_FAR,
            "value": one.actions_reversed / one.actions,
            "said": _part(one.actions_reversed, one.actions),
            "open": _part(one.actions_open, one.actions),
        }
        for place, one in enumerate(found)
    ]
    title = "Reversal rate by month of the conversion"
    spec = vega.chart(
        title,
        values,
        mark={"type": "bar", "stroke": vega.colour("Reversed")},
        encoding={
            "x": vega.by_name("month", labelAngle=-40),
            "y": vega.amount("value", "share of conversions", ".1~%"),
            "fill": vega.coloured("kind", (_FINAL, _SO_FAR)),
            "tooltip": vega.tooltip(month="Month", said="Reversed", open="Still open"),
        },
    )
    rows = [
        (
            when(words.month(one.start), one.start.isoformat() if one.start else ""),
            number(one.actions),
            number(one.actions_reversed),
            share(one.actions_reversed, one.actions),
            number(one.actions_open),
            share(one.actions_open, one.actions),
        )
        for one in found
    ]
    table = Table(("Month", "Conversions", "Reversed", "Reversal rate", "Still open", "Share open"), rows)
    reading = sentences.reversals(found, whole=not sentences.shortened(figures))
    span = spans.months(figures)
    return Chart("cohorts", title, reading, span, spec if values else None, table, (_FINAL, _SO_FAR))


def _partners(figures: Figures, currency: Currency) -> Chart:
    code, ranking = words.currency(currency), figures.rankings[currency]
    shown = ranking.partners[:_PARTNERS]
    names = [partner.name or partner.id or "no partner" for partner in shown]
    labels = [
        f"{words.cut(name)} ({partner.id})" if names.count(name) > 1 else words.cut(name)
        for name, partner in zip(names, shown, strict=True)
    ]
    labels = [label if labels.count(label) == 1 else f"{label} ({place})" for place, label in enumerate(labels, 1)]
    values = [
        {
            "partner": label,
            "place": place,
            "stage": part,
            "layer": _PARTS.index(part),
            "value": float(money),
            "said": f"{words.money(money)} {code}",
        }
        for place, (label, partner) in enumerate(zip(labels, shown, strict=True))
        for part, money in zip(_PARTS, (partner.paid, partner.locked, partner.at_risk), strict=True)
    ]
    title = f"Partners with the most commission, {code}"
    spec = vega.chart(
        title,
        values,
        height=24 * len(shown) + 50,
        mark={"type": "bar"},
        encoding={
            "y": vega.by_name("partner", labelLimit=140),
            "x": vega.amount("value", "commission"),
            "color": vega.coloured("stage", _PARTS),
            "order": {"field": "layer"},
            "tooltip": vega.tooltip(partner="Partner", stage="Stage", said="Commission"),
        },
    )
    reading = sentences.partners(ranking, code)
    cut = words.cut_to(len(shown), ranking.of, "with the most commission")
    span = f"{spans.all_of(figures, more='; reversed ones are left out')} {cut}".strip()
    return Chart(id_of("partners", currency), title, reading, span, spec if values else None, key=_PARTS)


def _restated(figures: Figures, currency: Currency) -> Chart:
    code = words.currency(currency)
    moved = [one for one in figures.restated.moved if one.currency == currency] if figures.restated else []
    months = sorted({one.month for one in moved})
    values = [
        {
            "month": words.month(one.month),
            "place": months.index(one.month),
            "kind": _KINDS[one.kind],
            "value": float(one.commission),
            "said": f"{words.moved(one.commission)} {code} by {words.counted(one.changes, one.kind)}",
        }
        for one in moved
    ]
    at = words.closing(figures.compared.at) if figures.compared else ""
    title = f"Restated since {at}, {code}"
    spec = vega.chart(
        f"{title}, by month of the conversion",
        values,
        mark={"type": "bar"},
        encoding={
            "x": vega.by_name("month", labelAngle=-40),
            "y": vega.amount("value", "change of commission"),
            "color": vega.coloured("kind", list(_KINDS.values())),
            "tooltip": vega.tooltip(month="Month of the conversion", kind="Kind", said="Change"),
        },
    )
    table = Table(("Month", "Kind", "Changes", "Change of commission"), [_moved_row(one) for one in moved])
    reading = sentences.restated(moved, code, figures.compared)
    kinds = tuple(_KINDS[kind] for kind in KINDS if any(one.kind == kind for one in moved))
    return Chart(
        id_of("restated", currency), title, reading, spans.restated(figures), spec if values else None, table, kinds
    )


def _moved_row(one: Moved) -> tuple[Cell, ...]:
    return (
        when(words.month(one.month), one.month.isoformat()),
        text(_KINDS[one.kind]),
        number(one.changes),
        change(one.commission),
    )


def _part(actions: int, of: int) -> str:
    return f"{words.percent(actions / of)}, {words.count(actions)} of {words.count(of)}"

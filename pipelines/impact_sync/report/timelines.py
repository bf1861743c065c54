"""The charts over time: conversions and their commission by stage."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from . import sentences, spans, vega, words
from .chart import STAGES, Chart, id_of
from .figures import Currency, Daily, Figures
from .tables import Cell, Table, amount, number, when
from .vega import Spec


def conversions(figures: Figures) -> Chart:
    """How many conversions each day, week or month brought, by stage."""
    found: dict[tuple[date, str], int] = {}
    for one in figures.daily:
        found[one.start, one.stage] = found.get((one.start, one.stage), 0) + one.actions
    days = [Daily(start, None, stage, actions, Decimal(0)) for (start, stage), actions in found.items()]
    values = [
        {
            "start": one.start.isoformat(),
            "stage": STAGES[one.stage],
            "layer": list(STAGES).index(one.stage),
            "value": -one.actions if one.stage == "reversed" else one.actions,
            "day": _started(one.start, figures.unit),
            "said": words.count(one.actions),
        }
        for one in days
    ]
    title = f"Conversions by {figures.unit}"
    return Chart(
        "conversions",
        title,
        sentences.conversions(figures),
        spans.daily(figures),
        _by_day(title, values, figures.unit, "conversions") if values else None,
        _by_stage(figures.unit, {(one.start, one.stage): number(one.actions) for one in days}),
        tuple(STAGES.values()),
    )


def commission(figures: Figures, currency: Currency) -> Chart:
    """What they earned in one currency, by stage."""
    days = [one for one in figures.daily if one.currency == currency]
    code = words.currency(currency)
    values = [
        {
            "start": one.start.isoformat(),
            "stage": STAGES[one.stage],
            "layer": list(STAGES).index(one.stage),
            "value": float(-one.commission if one.stage == "reversed" else one.commission),
            "day": _started(one.start, figures.unit),
            "said": f"{words.money(one.commission)} {code}",
        }
        for one in days
    ]
    title = f"Commission by {figures.unit} of the conversion, {code}"
    return Chart(
        id_of("commission", currency),
        title,
        sentences.commission(days, code, figures.balances[currency].accrued),
        spans.daily(figures),
        _by_day(title, values, figures.unit, "commission") if values else None,
        _by_stage(figures.unit, {(one.start, one.stage): amount(one.commission) for one in days}),
        tuple(STAGES.values()),
    )


def _by_day(title: str, values: vega.Values, unit: str, of: str) -> Spec:
    stages = list(STAGES.values())
    return vega.chart(
        f"{title}; reversed ones below the line",
        values,
        mark={"type": "bar", "binSpacing": 0},
        encoding={
            "x": vega.by_time(unit),
            "y": vega.amount("value", of, both=True),
            "color": vega.coloured("stage", stages),
            "order": {"field": "layer"},
            "tooltip": vega.tooltip(day=unit.capitalize(), stage="Stage", said=of.capitalize()),
        },
    )


def _by_stage(unit: str, cells: dict[tuple[date, str], Cell]) -> Table:
    starts = sorted({start for start, _ in cells})
    rows = [
        (when(words.day(start), start.isoformat()), *(cells.get((start, stage), number(0)) for stage in STAGES))
        for start in starts
    ]
    return Table((unit.capitalize(), *STAGES.values()), rows)


def _started(start: date, unit: str) -> str:
    return {"day": words.day, "week": lambda day: f"from {words.day(day)}", "month": words.month}[unit](start)

"""Vega-Lite in the few forms that the report's charts have: colours, axes, bars.

What comes from the warehouse stands in a chart's data and description alone: Vega-Lite writes titles, domains and lists
to sort by into expressions, where a quote in a name would end a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Spec = dict[str, Any]
Values = Sequence[Mapping[str, object]]

COLOURS: Final = {
    "Paid": "#1b3a5c",
    "Locked": "#3d85c6",
    "Open": "#c4790c",
    "Reversed": "#a8325f",
    "Arrival": "#1b3a5c",
    "Restoration": "#3d85c6",
    "Correction": "#c4790c",
    "Reversal": "#a8325f",
    "Settled": "#a8325f",
    "Can still change": "#e3b3c5",
}
"""By lightness and by hue, so that they stay apart for every kind of colour vision.
Each, or its edge, is 3:1 or more on white."""
CONFIG: Final[Spec] = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "#404a55",
        "labelFontSize": 11,
        "titleColor": "#404a55",
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "gridColor": "#e3e7eb",
        "domainColor": "#8a949e",
        "tickColor": "#8a949e",
    },
    "legend": {"orient": "top", "title": None, "labelColor": "#404a55", "labelFontSize": 11, "symbolType": "square"},
}
_HEIGHT: Final = 230
_UNITS: Final = {"day": "utcyearmonthdate", "week": "utcyearmonthdate", "month": "utcyearmonth"}
_FORMATS: Final = {"day": "%-d %b", "week": "%b %Y", "month": "%b %Y"}


def chart(description: str, values: Values, height: int = _HEIGHT, **parts: Any) -> Spec:  # noqa: ANN401 - as Vega-Lite has it
    """A chart as wide as the place it is put."""
    return {
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": list(values)},
        "config": CONFIG,
        **parts,
    }


def by_time(unit: str) -> Spec:
    """An axis of UTC days, weeks or months, each a band."""
    return {
        "field": "start",
        "type": "temporal",
        "timeUnit": _UNITS[unit],
        "axis": {"title": None, "grid": False, "labelOverlap": True, "tickCount": 8, "format": _FORMATS[unit]},
    }


def by_name(field: str, **axis: Any) -> Spec:  # noqa: ANN401 - as Vega-Lite has it
    """An axis of names, in the order of the field `place`."""
    return {
        "field": field,
        "type": "nominal",
        "sort": {"field": "place", "op": "min"},
        "axis": {"title": None, "labelOverlap": True, **axis},
    }


def amount(field: str, title: str, fmt: str = "~s", *, both: bool = False) -> Spec:
    """An axis of numbers; with `both`, what lies below zero is told without a sign."""
    value = "abs(datum.value)" if both else "datum.value"
    axis = {"title": title, "labelExpr": f"datum.value ? format({value}, '{fmt}') : '0'", "tickCount": 5}
    return {"field": field, "type": "quantitative", "axis": axis, "stack": "zero"}


def coloured(field: str, names: Sequence[str]) -> Spec:
    """One colour for each name, the legend in their order."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(names), "range": [COLOURS[name] for name in names]},
    }


def told(**titles: str) -> list[Spec]:
    """A tooltip: fields of the data, made up as text, by their titles."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in titles.items()]

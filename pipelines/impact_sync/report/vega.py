"""Vega-Lite specifications in the few forms that the report needs: colours, axes, bars.

Text from the warehouse goes only into a chart's data and description: Vega-Lite writes titles, domains and sort lists
into expressions, where a quote in a name would end a string.
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
    "Reversed so far": "#e3b3c5",
    "Arrival": "#2c6e63",
    "Restoration": "#7d5fb2",
    "Correction": "#6f6a5d",
}
"""The only hues of the page, each with one meaning. They differ in lightness and hue, for every kind of colour vision.
Each, or its edge, has a contrast of 3:1 or more on white."""
DARK: Final = {
    "Paid": "#6f9fd8",
    "Locked": "#b5d4f4",
    "Open": "#e8a13c",
    "Reversed": "#e0709b",
    "Reversed so far": "#6d3a4f",
    "Arrival": "#5fb8a6",
    "Restoration": "#b59be0",
    "Correction": "#b3ab98",
}
"""The same on a dark page."""
SAME: Final = {"Reversal": "Reversed"}
"""A kind of change, and the stage whose colour it has: it is what brings conversions there."""


def colour(name: str) -> str:
    """A colour as a variable of the page's styles, so that charts follow light and dark. `KeyError` if it has none."""
    meaning = SAME.get(name, name)
    if meaning not in COLOURS:
        raise KeyError(name)
    return f"var(--{meaning.lower().replace(' ', '-')})"


def styles(colours: Mapping[str, str]) -> str:
    """The colours as CSS."""
    return " ".join(f"--{name.lower().replace(' ', '-')}: {value};" for name, value in colours.items())


CONFIG: Final[Spec] = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "labelFontSize": 11,
        "titleColor": "var(--soft)",
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--rule)",
        "tickColor": "var(--rule)",
    },
}
_HEIGHT: Final = 230
_UNITS: Final = {"day": "utcyearmonthdate", "week": "utcyearmonthdate", "month": "utcyearmonth"}
_FORMATS: Final = {"day": "%-d %b", "week": "%b %Y", "month": "%b %Y"}


def chart(description: str, values: Values, height: int = _HEIGHT, **parts: Any) -> Spec:  # noqa: ANN401 - as Vega-Lite has it
    """A chart as wide as its container."""
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
    """An axis of days, weeks or months, one band each."""
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
    """An axis of numbers; with `both`, numbers below zero are shown without a sign."""
    value = "abs(datum.value)" if both else "datum.value"
    axis = {"title": title, "labelExpr": f"datum.value ? format({value}, '{fmt}') : '0'", "tickCount": 5}
    return {"field": field, "type": "quantitative", "axis": axis, "stack": "zero"}


def coloured(field: str, names: Sequence[str]) -> Spec:
    """One colour per name. The page shows the legend, where it can wrap."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(names), "range": [colour(name) for name in names]},
        "legend": None,
    }


def tooltip(**titles: str) -> list[Spec]:
    """A tooltip: fields of the data, formatted as text, by their titles."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in titles.items()]

"""Which conversions a card, a chart or a table covers: they do not all look equally far back."""

from __future__ import annotations

from . import words
from .figures import Figures


def all_of(figures: Figures, what: str = "conversions", more: str = "") -> str:
    """All that the report covers, and what else there is to say."""
    since = f" since {words.moment(figures.since)}" if figures.since else ", of any date"
    return f"All {what}{since}{more}."


def cards(figures: Figures) -> str:
    """What the cards count: everything, from the first conversion on."""
    if figures.since or figures.first_event is None:
        return all_of(figures)
    return f"All conversions, the first on {words.day(figures.first_event)}."


def daily(figures: Figures) -> str:
    """How long a time the charts over time show, if the cards count more."""
    starts = [one.start for one in figures.daily]
    if not starts:
        return ""
    first, last = min(starts), max(starts)
    months = (last.year - first.year) * 12 + last.month - first.month
    passed = {"day": (last - first).days, "week": (last - first).days // 7, "month": months}[figures.unit]
    return _compared(figures, words.counted(passed + 1, figures.unit), sum(one.actions for one in figures.daily))


def months(figures: Figures) -> str:
    """How many months are shown, if the cards count more."""
    starts = {one.start for one in figures.months if one.start}
    return _compared(figures, words.counted(len(starts), "month"), sum(one.actions for one in figures.months))


def _compared(figures: Figures, time: str, shown: int) -> str:
    of = sum(one.actions for one in figures.balances.values())
    return f"{time}; the cards count {words.count(of - shown)} more conversions." if shown < of else all_of(figures)


def restated(figures: Figures) -> str:
    """What counts as restated."""
    if figures.compared is None:
        return ""
    at = words.closing(figures.compared.at)
    return f"Conversions up to {at}; changes seen since then."

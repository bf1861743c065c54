"""How a window that holds too much is cut: by what is known of it, else evenly. Pure.

The API pages through a bounded number of rows and refuses a window with more; how many it holds is told by the
refusal, if at all. Where the warehouse knows at which instants the rows lie, the cuts fall between them, and an
instant that alone holds too much is set apart at once instead of being closed in on by one refusal after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sources.impact.windows import Window

Counts = Sequence[tuple[datetime, int]]
"""Instants in order, with the number of actions that are known to lie at each."""
_MILLISECOND = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_MARGIN = 0.9
"""Known counts are a little old: parts are filled to this share only."""


def parts(window: Window, fit: int, total: int | None, known: Counts) -> list[Window]:
    """Windows that together are `window` and should hold at most `fit` rows each; none if it is a single instant.

    `total` is the number of rows in it, if known. Instants count to the millisecond, the finest the API writes.
    """
    if window.span < _MILLISECOND:
        return []
    inside = [(moment, count) for moment, count in known if window.start <= moment <= window.end]
    if sum(count for _, count in inside) > fit * _MARGIN:
        found = _between(window, int(fit * _MARGIN), inside)
        if len(found) > 1:
            return found
    return _evenly(window, max(2, -(-(total or 0) // fit)))


def _between(window: Window, fit: int, known: Counts) -> list[Window]:
    """Cut between known instants so that each part holds at most `fit`; fuller instants stand alone."""
    found: list[Window] = []
    start, held, last = window.start, 0, None
    for moment, count in known:
        if count > fit:
            if start < moment:
                found.append(Window(start, moment - _MILLISECOND))
            found.append(Window(moment, moment))
            start, held, last = moment + _MILLISECOND, 0, None
            continue
        if last is not None and held + count > fit:
            middle = last + _whole((moment - last) / 2)
            found.append(Window(start, middle))
            start, held = middle, 0
        held, last = held + count, moment
    if start <= window.end:
        found.append(Window(start, window.end))
    return found


def _evenly(window: Window, number: int) -> list[Window]:
    """Parts of equal length that share their boundaries; the two ends alone where it is a millisecond."""
    if window.span <= _MILLISECOND:
        return [Window(window.start, window.start), Window(window.end, window.end)]
    number = min(number, window.span // _MILLISECOND)
    edges = [window.start + _whole(window.span * step / number) for step in range(number)] + [window.end]
    edges = sorted(set(edges))
    return [Window(start, end) for start, end in pairwise(edges)]


def _whole(span: timedelta) -> timedelta:
    """A span in whole seconds where it has several, else in whole milliseconds: the API's own precision."""
    unit = _SECOND if span > 2 * _SECOND else _MILLISECOND
    return span // unit * unit

"""Splits a window that holds too much: by its known rows, otherwise evenly. Pure.

Parts begin and end at whole seconds and share their boundaries. A server may compare to the second, the minute or the
day, and may exclude the end of a range: adjoining parts lose nothing under any of these readings; parts with a gap
between them, or shorter than a second, do.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

from .windows import SECOND, Counts, Window, round_second

_MARGIN = 0.9
"""Known counts are a little old: parts are filled to this share only."""
_PARTS_MAX = 100
"""The most parts, however many rows a refusal names: parts that are still too full are split again."""
_OFF_THE_HOUR = timedelta(hours=2)


def split(window: Window, fit: int, total: int | None, known: Counts) -> list[Window]:
    """Windows that together are `window` and should hold at most `fit` rows each; none if it is a single second.

    `total` is the number of rows in it, if known.
    """
    if window.span <= SECOND:
        return []
    seconds: Counter[datetime] = Counter()
    for moment, count in known:
        if window.start <= moment <= window.end:
            seconds[round_second(moment)] += count
    number = 2 if total is None else max(2, -(-total // fit))
    edges = _between(window, int(fit * _MARGIN), seconds) or _evenly(window, min(_PARTS_MAX, number))
    return [Window(start, end) for start, end in pairwise([window.start, *edges, window.end])]


def _between(window: Window, fit: int, known: Counter[datetime]) -> list[datetime]:
    """Edges in the middle of gaps between known instants: each part holds at most `fit`, or a single fuller instant.

    An edge far from both neighbours separates them whatever the server's precision.
    """
    edges: list[datetime] = []
    held, last = 0, window.start
    for moment in sorted(known):
        if held and held + known[moment] > fit:
            edge = last + max(SECOND, (moment - last) / 2 // SECOND * SECOND)
            if edge < window.end:
                edges.append(edge)
            held = 0
        held, last = held + known[moment], moment
    return edges


def _evenly(window: Window, number: int) -> list[datetime]:
    """Edges of parts of equal length. Edges of long parts avoid the full hour.

    Actions lock and are imported at full hours, and rows at an edge are in both parts.
    """
    number = min(number, window.span // SECOND)  # so that no two edges fall into the same second
    edges = [round_second(window.start + window.span * step / number) for step in range(1, number)]
    if window.span / number > _OFF_THE_HOUR:
        return [edge.replace(minute=17, second=0) for edge in edges]
    return edges

"""Windows of time, in whole seconds and of the lengths that the API accepts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from typing_extensions import override

from ..settings import WINDOW_MAX

SECOND = timedelta(seconds=1)
"""The smallest unit: the API documents nothing finer, and may compare no finer."""
Counts = Sequence[tuple[datetime, int]]
"""Instants in order, with the number of actions known at each."""


@dataclass(frozen=True, order=True)
class Window:
    """A range of instants (UTC), both ends inclusive, as the API filters."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse a window that ends before it starts: it would silently hold nothing."""
        if self.end < self.start:
            msg = f"a window must not end before it starts: {self}"
            raise ValueError(msg)

    @override
    def __str__(self) -> str:
        """Both ends in ISO 8601."""
        return f"{instant(self.start)} to {instant(self.end)}"

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """Start and end."""
        return self.start, self.end

    @property
    def span(self) -> timedelta:
        """How long the window is."""
        return self.end - self.start


def round_second(moment: datetime, *, up: bool = False) -> datetime:
    """An instant in whole seconds: cut off, or with `up` rounded up."""
    cut_off = moment.replace(microsecond=0)
    return cut_off + SECOND if up and cut_off < moment else cut_off


def second(moment: datetime) -> Window:
    """The shortest window that holds an instant, even if its end is excluded."""
    return Window(round_second(moment), round_second(moment) + SECOND)


def cut(start: datetime, end: datetime, longest: timedelta = WINDOW_MAX) -> list[Window]:
    """The fewest windows of at most `longest` that cover `start` to `end` without a gap, in order, in whole seconds.

    Neighbours share their boundary: a row at exactly that instant is read twice and merges into one.
    """
    start = round_second(start)
    end = max(round_second(end, up=True), start + SECOND)
    windows = [Window(start, min(start + longest, end))]
    while windows[-1].end < end:
        start = windows[-1].end
        windows.append(Window(start, min(start + longest, end)))
    return windows


def cover(points: Iterable[datetime], start: datetime, end: datetime, longest: timedelta = WINDOW_MAX) -> list[Window]:
    """The fewest windows that hold every one of `points` before `start`, and all of `start` to `end`.

    Gaps between points are left out if that takes no extra window: each window begins at a point (or at `start`) that
    no earlier window holds.
    """
    start = round_second(start)
    windows = gather((point for point in points if point < start), longest)
    if windows and start <= windows[-1].start + longest:
        start = windows.pop().start
    return windows + cut(start, end, longest)


def gather(points: Iterable[datetime], longest: timedelta = WINDOW_MAX) -> list[Window]:
    """The fewest windows that together hold every one of `points`; each begins at one of them and ends after one."""
    windows: list[Window] = []
    for point in sorted({round_second(point) for point in points}):
        if windows and point + SECOND <= windows[-1].start + longest:
            windows[-1] = Window(windows[-1].start, point + SECOND)
        else:
            windows.append(second(point))
    return windows


def instant(moment: datetime) -> str:
    """An instant as the API writes it: ISO 8601 in UTC with `Z`, milliseconds only if there are any.

    Anything finer than a millisecond is cut off.
    """
    text = moment.replace(microsecond=0, tzinfo=None).isoformat()
    millis = moment.microsecond // 1000
    return f"{text}.{millis:03d}Z" if millis else f"{text}Z"

"""What the user sees: tables, and progress as a bar on a terminal or as lines where there is none."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from impact_source.actions.runner import Progress as Walked
from impact_source.items.run import ItemProgress
from impact_source.shown import visible
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from typing_extensions import override

from ..corrections.apply.progress import CallProgress
from .grid import Grid

Step = Walked | ItemProgress | CallProgress
_WIDTH = 140
_BAR, _AROUND = 12, 14
"""Columns of the screen that the bar takes, and the time behind it with the blanks between all of them."""
_AND = " · "
_EVERY_SECONDS = 2.0
_log = logging.getLogger("impact_sync.progress")


class _Plain(Console):
    """Shows what others wrote as text: a name moves no cursor and hides nothing."""

    @override
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text, lines=True), **options)


def console(*, error: bool = False) -> Console:
    """A console that takes text as it is; where nobody looks at a screen it is as wide as COLUMNS says, or wide."""
    stream = sys.stderr if error else sys.stdout
    told = os.environ.get("COLUMNS", "")
    width = None if stream.isatty() else int(told) if told.isdigit() and int(told) else _WIDTH
    return _Plain(stderr=error, width=width, highlight=False, markup=False, emoji=False)


def table(title: str, *columns: str, numbers: tuple[str, ...] = (), texts: tuple[str, ...] = ()) -> Grid:
    """An empty table; `numbers` are the columns to align right, `texts` those that may wrap."""
    return Grid(title, columns, numbers, texts)


@contextmanager
def progress() -> Iterator[Callable[[Step], None]]:
    """Something to call with each step: a bar on a terminal, else a log line every few seconds."""
    if not sys.stderr.isatty() or _logs_json():
        with _lines() as show_line:
            yield show_line
        return
    with bar(console(error=True)) as show:
        yield show


@contextmanager
def bar(out: Console) -> Iterator[Callable[[Step], None]]:
    """A bar on a terminal, with as much said beside it as its width has room for."""
    with Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=_BAR),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        TimeElapsedColumn(),
        console=out,
        transient=True,
    ) as shown:
        task = shown.add_task("connecting", total=None, said="")

        def show(step: Step) -> None:
            told = _told(step)
            said = fitted(told.said, out.width - _BAR - _AROUND - len(f"{told.what}{told.done}/{told.of}"))
            shown.update(task, description=told.what, completed=told.done, total=told.of, said=said)

        yield show


def fitted(said: str, room: int) -> str:
    """The first parts of what is said, as many as there is room for; none is cut."""
    parts = said.split(_AND)
    while parts and len(_AND.join(parts)) > room:
        parts.pop()
    return "".join(f"{part}{_AND}" for part in parts).rstrip()


@dataclass(frozen=True)
class _Told:
    """A step in words."""

    what: str
    unit: str
    done: int
    of: int
    said: str


def _told(step: Step) -> _Told:
    if isinstance(step, ItemProgress):
        rate, left = step.per_second, duration((step.of - step.done) / max(step.per_second, 1e-3))
        said = f"{rate:,.1f} a second · {left} to go · {step.requests_left:,} requests left"
        if step.waiting > step.of:
            said += f" · {step.waiting - step.of:,} more wait for the hours to come"
        return _Told("items", "action", step.done, step.of, said)
    if isinstance(step, CallProgress):
        said = f"{step.settled:,} settled · {step.requests_left:,} requests left"
        return _Told("corrections", "call", step.done, step.of, said)
    said = f"{step.rows:,} actions · {step.requests_left:,} requests left"
    return _Told(visible(f"campaign {step.campaign_id}, {step.pass_}"), "window", step.windows_done, step.windows, said)


def duration(seconds: float) -> str:
    """A time to wait, in the unit that fits."""
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60:,} h {minutes % 60} min"  # noqa: PLR2004 - two hours


def _logs_json() -> bool:
    return any(type(h.formatter).__name__ == "JsonFormatter" for h in logging.getLogger("impact_sync").handlers)


@contextmanager
def _lines() -> Iterator[Callable[[Step], None]]:
    """A line for the first step, one every few seconds, and one for the last, which is known only in the end."""
    spoken, left = 0.0, None

    def say(step: Step) -> None:
        told = _told(step)
        text = f"{told.what}: {told.unit} {told.done:,} of {told.of:,}, {told.said.replace(' · ', ', ')}"
        if _logs_json():
            _log.info(text, extra={"event": "progress", **vars(step)})
        else:
            print(visible(text), file=sys.stderr)  # noqa: T201 - this is the console

    def show(step: Step) -> None:
        nonlocal spoken, left
        left = step
        if (now := time.monotonic()) - spoken >= _EVERY_SECONDS:
            spoken, left = now, None
            say(step)

    try:
        yield show
    finally:
        if left is not None:
            say(left)

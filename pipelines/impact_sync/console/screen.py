"""What the user sees: tables, and progress as a bar on a terminal or as lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from impact_source.shown import visible
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from typing_extensions import override

from .grid import Grid
from .turn import turn

T = TypeVar("T")
_WIDTH = 140
_BAR, _AROUND = 12, 14
"""Screen columns of the bar, and of the time after it with all blanks between them."""
_AND = " · "
_EVERY_SECONDS = 2.0
_log = logging.getLogger("impact_sync.progress")


class _Plain(Console):
    """Shows text from others literally: a name moves no cursor and hides nothing."""

    @override
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text, lines=True), **options)


def console(*, error: bool = False) -> Console:
    """A console that shows text literally; if it is not a terminal, its width is COLUMNS, or wide."""
    stream = sys.stderr if error else sys.stdout
    columns = os.environ.get("COLUMNS", "")
    width = None if stream.isatty() else int(columns) if columns.isdigit() and int(columns) else _WIDTH
    return _Plain(stderr=error, width=width, highlight=False, markup=False, emoji=False)


def table(title: str, *columns: str, numbers: tuple[str, ...] = (), texts: tuple[str, ...] = ()) -> Grid:
    """An empty table; `numbers` are the columns to align right, `texts` those that may wrap."""
    return Grid(title, columns, numbers, texts)


@dataclass(frozen=True)
class Step:
    """Where a run stands: `done` `of` all units; `said` is further text, in parts divided by ` · `."""

    what: str
    unit: str
    done: int
    of: int
    said: str


@contextmanager
def progress(in_words: Callable[[T], Step]) -> Iterator[Callable[[T], None]]:
    """A function to call with each step of a run: a bar on a terminal, else a log line every few seconds."""
    if not sys.stderr.isatty() or _logs_json():
        with _lines(in_words) as show_line:
            yield show_line
        return
    with bar(console(error=True), in_words) as show:
        yield show


@contextmanager
def bar(out: Console, in_words: Callable[[T], Step]) -> Iterator[Callable[[T], None]]:
    """A bar on a terminal, with as much text beside it as fits its width."""
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

        def show(step: T) -> None:
            words = in_words(step)
            said = fitted(words.said, out.width - _BAR - _AROUND - len(f"{words.what}{words.done}/{words.of}"))
            shown.update(task, description=words.what, completed=words.done, total=words.of, said=said)

        yield show


def fitted(said: str, room: int) -> str:
    """The first parts of a text, as many as fit; none is cut."""
    parts = said.split(_AND)
    while parts and len(_AND.join(parts)) > room:
        parts.pop()
    return "".join(f"{part}{_AND}" for part in parts).rstrip()


def duration(seconds: float) -> str:
    """A time to wait, in the unit that fits."""
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60:,} h {minutes % 60} min"  # noqa: PLR2004 - two hours


def _logs_json() -> bool:
    return any(type(h.formatter).__name__ == "JsonFormatter" for h in logging.getLogger("impact_sync").handlers)


@contextmanager
def _lines(in_words: Callable[[T], Step]) -> Iterator[Callable[[T], None]]:
    """A line for the first step, one every few seconds, and one for the last, which is known only at the end."""
    printed_at, left = 0.0, list[T]()

    def print_line(step: T) -> None:
        words = in_words(step)
        text = f"{words.what}: {words.unit} {words.done:,} of {words.of:,}, {words.said.replace(_AND, ', ')}"
        if _logs_json():
            _log.info(text, extra={"event": "progress", **vars(step)})
        else:
            print(visible(turn.named(text)), file=sys.stderr)  # noqa: T201 - this is the console

    def show(step: T) -> None:
        nonlocal printed_at
        left[:] = [step]
        if (now := time.monotonic()) - printed_at >= _EVERY_SECONDS:
            printed_at = now
            left.clear()
            print_line(step)

    try:
        yield show
    finally:
        for step in left:
            print_line(step)

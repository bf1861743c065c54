"""What the user sees: tables, and progress as a bar on a terminal or as lines where there is none."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sources.impact.walk import Progress as Step

_WIDTH = 140
_EVERY_SECONDS = 2.0
_log = logging.getLogger("pipelines.progress")


def console(*, error: bool = False) -> Console:
    """A console that takes text as it is, and does not wrap tables where nobody looks at a screen."""
    stream = sys.stderr if error else sys.stdout
    return Console(stderr=error, width=None if stream.isatty() else _WIDTH, highlight=False, markup=False)


def table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table; `numbers` are the columns to align right."""
    made = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in numbers else "left", no_wrap=name in numbers)
    return made


@contextmanager
def progress() -> Iterator[Callable[[Step], None]]:
    """Something to call with each step: a bar on a terminal, else a log line every few seconds."""
    if not sys.stderr.isatty() or _logs_json():
        yield _lines()
        return
    with Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("windows · {task.fields[rows]:,} actions · {task.fields[left]:,} requests left ·"),
        TimeElapsedColumn(),
        console=console(error=True),
        transient=True,
    ) as bar:
        task = bar.add_task("connecting", total=None, rows=0, left=0)

        def show(step: Step) -> None:
            bar.update(
                task,
                description=f"campaign {step.campaign_id}, {step.pass_}",
                completed=step.windows_done,
                total=step.windows,
                rows=step.rows,
                left=step.requests_left,
            )

        yield show


def _logs_json() -> bool:
    return any(type(h.formatter).__name__ == "JsonFormatter" for h in logging.getLogger("pipelines").handlers)


def _lines() -> Callable[[Step], None]:
    """A line for the first window, the last one known, and one every few seconds between."""
    said = 0.0

    def show(step: Step) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < _EVERY_SECONDS and step.windows_done < step.windows:
            return
        said = now
        text = (
            f"campaign {step.campaign_id}, {step.pass_}: window {step.windows_done} of {step.windows}, "
            f"{step.rows:,} actions, {step.requests_left:,} requests left"
        )
        if _logs_json():
            _log.info(text, extra={"event": "progress", **vars(step)})
        else:
            print(text, file=sys.stderr)  # noqa: T201 - this is the console

    return show

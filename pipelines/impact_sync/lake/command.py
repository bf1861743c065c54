"""`impact publish` as the user sees it, and what other commands do if a lake is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import dlt

from ..console.exits import Exit
from ..console.screen import console, table
from ..extras import needed

if TYPE_CHECKING:  # only users of a lake have the libraries
    from .place import Lake
    from .publish import Written

_LIBRARY = "lake", "a lake"


def run(url: str | None, account: str | None, *, whole: bool) -> int:
    """Publish, and show what was written to each table."""
    with needed(*_LIBRARY):
        from .place import resolve  # noqa: PLC0415 - only users of a lake have the libraries
        from .publish import publish  # noqa: PLC0415

    lake = resolve(url, account)
    counts = ("rows", "written", "removed")
    shown = table("Published", "table", *counts, numbers=counts)
    tables = publish(lake, whole=whole)
    for one in tables:
        shown.add_row(one.table, *(f"{getattr(one, count):,}" for count in counts))
    console().print(shown)
    console().print(_summary(lake, tables))
    return Exit.DONE


def run_views(url: str | None, account: str | None, dialect: str) -> int:
    """Print the statements that create the account's tables and views in an engine."""
    with needed(*_LIBRARY):
        from .engine import views  # noqa: PLC0415 - only users of a lake have the libraries
        from .place import resolve  # noqa: PLC0415

    for statement in views(resolve(url, account), dialect):
        click.echo(f"{statement};")
    return Exit.DONE


def afterwards(code: Exit) -> Exit:
    """Publish what a command has written, if a lake is configured; returns the command's exit code."""
    if not dlt.config.get("impact.lake_url"):
        return code
    with needed(*_LIBRARY):
        from .place import resolve  # noqa: PLC0415 - only users of a lake have the libraries
        from .publish import publish  # noqa: PLC0415

    lake = resolve()
    console().print(_summary(lake, publish(lake)))
    return code


def _summary(lake: Lake, tables: list[Written]) -> str:
    written, removed = sum(one.written for one in tables), sum(one.removed for one in tables)
    return f"Published to {lake.url} as {lake.account}: {written:,} rows written, {removed:,} removed."

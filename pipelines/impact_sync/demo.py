"""`impact demo`: the main job on a sandbox account, a month apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
from impact_source import Settings

from .console.exits import Exit
from .console.screen import console, progress, table
from .load.words import in_words
from .sync.command import show
from .sync.run import sync

DATABASE = "impact-demo.duckdb"
_DAYS, _PER_DAY = 180, 100
_MONTH = 30
_MONTH_END = datetime(2026, 1, 31, 23, 55, tzinfo=ZoneInfo("America/Los_Angeles"))
"""The account's month end: what was owed then is what had been seen by then."""
_ITEM_REQUESTS = 200
"""Fewer than the hourly limit allows: a demo is short."""
_QUESTION = """
select state, count(*) as actions, sum(amount)::decimal(18, 2) as revenue, sum(payout)::decimal(18, 2) as commission
from impact.actions group by state order by state
"""


def run() -> int:
    """Sync, let a month pass, sync again; print what each found and what the warehouse says before and after.

    There is one more sync at month end, so that the warehouse can say what was owed then.
    """
    from impact_sandbox import Sandbox, World  # noqa: PLC0415 - the server is optional

    out = console()
    path = Path(DATABASE).absolute()
    path.unlink(missing_ok=True)
    out.print(f"A sandbox account: {_DAYS} days of {_PER_DAY} conversions a day in two campaigns.\n")
    world = World(seed=1, days=_DAYS, per_day=_PER_DAY)
    with Sandbox(world) as sandbox, _warehouse(path):
        settings = Settings(
            sandbox.account_sid, sandbox.auth_token, base_url=sandbox.url, items_max_requests=_ITEM_REQUESTS
        )
        _sync(settings, path)
        begun = world.now
        world.set_now(_MONTH_END)
        out.print(f"\nIt is {_MONTH_END:%d %B %Y, %H:%M} in Los Angeles: a sync at month end, for the books.")
        sync(settings)
        world.set_now(begun + timedelta(days=_MONTH))
        out.print(f"\nA month has passed: it is {world.now:%d %B %Y} at impact.com now.\n")
        _sync(settings, path)
    out.print(
        "\nApprovals never move an action's last-updated date: a connector that follows that date alone would have "
        "seen none of those above.\n"
        f"The warehouse is {DATABASE}; the README has a first question to ask it.\n"
        f"As a page with charts: DESTINATION__DUCKDB__CREDENTIALS={DATABASE} impact report",
        soft_wrap=True,
    )
    return Exit.DONE


def _sync(settings: Settings, path: Path) -> None:
    with progress(in_words) as on_progress:
        summary = sync(settings, on_progress=on_progress)
    show(replace(summary, notes=()))  # a sandbox clock that differs from ours is intended
    numbers = ("actions", "revenue", "commission")
    rows = table("The warehouse says", "state", *numbers, numbers=numbers)
    with duckdb.connect(str(path), read_only=True) as connection:
        for state, *values in connection.execute(_QUESTION).fetchall():
            rows.add_row(state, *(f"{value:,}" for value in values))
    console().print(rows)


@contextmanager
def _warehouse(path: Path) -> Iterator[None]:
    """The demo's own warehouse, whatever is configured."""
    names = {"DESTINATION__DUCKDB__CREDENTIALS": f"duckdb:///{path}", "IMPACT__DESTINATION": "duckdb"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value

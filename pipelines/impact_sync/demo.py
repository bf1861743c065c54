"""`impact demo`: the main job on a sandbox account, a month apart; then from the shop's orders to corrections."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
from impact_source import Settings
from impact_source.errors import ConfigurationError

from .console.exits import Exit
from .console.screen import console, progress, table
from .corrections.apply.run import apply
from .corrections.show import show_applied
from .load.words import in_words
from .reconcile.asking import Ask
from .reconcile.command import store_plan
from .reconcile.given import Given
from .reconcile.run import reconcile
from .reconcile.show import show as show_differences
from .report.command import run as write_report
from .sync.command import show
from .sync.run import sync

DATABASE, SHOP, REPORT = "impact-demo.duckdb", "impact-demo-shop", "impact-demo-report.html"
_DAYS, _PER_DAY = 180, 100
_MONTH = 30
_MONTH_END = datetime(2026, 1, 31, 23, 55, tzinfo=ZoneInfo("America/Los_Angeles"))
"""The account's month end: what was owed then is what had been seen by then."""
_ITEM_REQUESTS = 200
"""Fewer than the hourly limit allows: a demo is short."""
_PLANTED = 160
"""Differences in the shop's orders, of all kinds."""
_QUESTION = """
select state, count(*) as actions, sum(amount)::decimal(18, 2) as revenue, sum(payout)::decimal(18, 2) as commission
from impact.actions group by state order by state
"""


def run() -> int:
    """Sync, let a month pass, sync again, then reconcile the shop's orders, correct what differs, and report.

    Prints what each found, and what the warehouse says before and after. There is one more sync at month end, so that
    the warehouse can say what was owed then.
    """
    from impact_sandbox import Sandbox, World  # noqa: PLC0415 - the server is optional

    out = console()
    path = Path(DATABASE).absolute()
    for left in ("", ".wal", ".corrections.jsonl"):  # by an earlier demo
        path.with_name(f"{DATABASE}{left}").unlink(missing_ok=True)
    out.print(f"A sandbox account: {_DAYS} days of {_PER_DAY} conversions a day in two campaigns.\n")
    world = World(seed=1, days=_DAYS, per_day=_PER_DAY)
    with Sandbox(world) as sandbox, _warehouse(path):
        settings = Settings(
            sandbox.account_sid,
            sandbox.auth_token,
            base_url=sandbox.url,
            items_max_requests=_ITEM_REQUESTS,
            poll_interval=timedelta(0),
        )
        _sync(settings, path)
        begun = world.now
        world.set_now(_MONTH_END)
        out.print(f"\nIt is {_MONTH_END:%d %B %Y, %H:%M} in Los Angeles: a sync at month end, for the books.")
        sync(settings)
        world.set_now(begun + timedelta(days=_MONTH))
        out.print(f"\nSome weeks later it is {world.now:%d %B %Y} at impact.com.\n")
        _sync(settings, path)
        out.print(
            "Approvals never move an action's last-updated date: a connector that follows that date alone would have "
            "seen none of those above.\n",
            soft_wrap=True,
        )
        world.shop(_PLANTED).write(Path(SHOP))
        out.print(f"The shop's own orders are in {SHOP}. Where do they differ from the actions that it pays for?\n")
        _correct(settings)
        _report()
    out.print(f"The warehouse is {DATABASE}; the README has a first question to ask it.", soft_wrap=True)
    return Exit.DONE


def _correct(settings: Settings) -> None:
    """Reconcile, plan and send corrections, and reconcile again."""
    out, folder = console(), Path(SHOP)
    ask = Ask(Given(folder / "orders.csv"), Given(folder / "order_items.csv"), plans=True)
    found = reconcile(ask)
    show_differences(found, ask)
    plan = store_plan(settings, ask, found)
    if plan.id is None:
        msg = "no plan of corrections could be stored"
        raise ConfigurationError(msg)
    out.print(f"\nA plan corrects {len(plan.rows):,} of them; it is sent, and each is followed until it shows.\n")
    show_applied(plan.id, apply(settings, plan.id))
    left = reconcile(ask).head
    out.print(
        f"Reconciled again: {left['settled']:,} differences are settled, {left['correctable']:,} are left to correct "
        "by hand.\n",
        soft_wrap=True,
    )


def _report() -> None:
    if find_spec("jinja2") is None:
        console().print('A page with charts needs one more thing: pip install "impact-sync[report]"\n')
        return
    write_report(REPORT, (), None, None, None)


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

"""`impact sync` as the user sees it: progress, then a summary for each campaign."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from itertools import groupby

from impact_source import Ask, Settings
from impact_source.rows.diff import Tally

from ..console.exits import Exit
from ..console.failures import complain, show_unread
from ..console.screen import console, duration, progress, table
from ..items.command import show as show_items
from ..lake.command import afterwards
from ..load.words import in_words
from .run import DryRun, Summary, dry_run, sync

_COUNTS = ("read", "new", "changed", "approved", "reversed", "restored")


def run(campaigns: tuple[str, ...], since: date | None, until: date | None, *, items: bool | None = None) -> int:
    """Sync, show the summary, return the exit code."""
    with progress(in_words) as on_progress:
        summary = sync(Settings.resolve(), Ask(campaigns, since, until), items=items, on_progress=on_progress)
    show(summary)
    return afterwards(summary.exit)


def run_dry(campaigns: tuple[str, ...], since: date | None, until: date | None, *, items: bool | None = None) -> int:
    """Show what a sync would read."""
    show_dry(dry_run(Settings.resolve(), Ask(campaigns, since, until), items=items))
    return Exit.DONE


def show(summary: Summary) -> None:
    """Print what a run found, and what else the user should know."""
    out = console()
    title = (
        f"Synced up to {_when(summary.run.until)}"
        if summary.error is None
        else "Stopped early; everything read so far was loaded"
    )
    rows = table(
        title, "campaign", *_COUNTS, "commission moved", numbers=(*_COUNTS, "commission moved"), texts=("campaign",)
    )
    for campaign_id, name in summary.names.items():
        if (tally := summary.tallies.get(campaign_id)) is not None:
            rows.add_row(f"{campaign_id} {name}", *(f"{getattr(tally, count):,}" for count in _COUNTS), _money(tally))
    if rows.row_count:
        out.print(rows)
    else:
        out.print(f"{title}: the API returned no actions.")
    out.print(f"{summary.run.requests:,} requests, {summary.run.rows:,} actions received.")
    out.print(f"Warehouse: {summary.warehouse}", soft_wrap=True)
    if summary.items is not None:
        show_items(summary.items)
    for note in summary.notes:
        out.print(f"Note: {note}.")
    if rejected := summary.rejected + sum(tally.rejected for tally in summary.tallies.values()):
        out.print(
            f"{rejected:,} records have a value that does not fit its column, or no usable key or date: "
            "see the table rejected_records."
        )
    show_unread((*summary.failures, *summary.not_read), summary.left_out)
    if summary.error is not None:
        complain(summary.error)
    elif summary.items is not None and summary.exit is not Exit.DONE and summary.items.error is not None:
        complain(summary.items.error)


def show_dry(plan: DryRun) -> None:
    """Print the windows that would be read, and the fewest requests they take."""
    out = console()
    rows = table("Would read", "campaign", "pass", "from", "to", "windows", numbers=("windows",), texts=("campaign",))
    for (campaign_id, pass_), group in groupby(plan.readings, key=lambda r: (r.campaign_id, r.pass_)):
        windows = [reading.window for reading in group]
        name = f"{campaign_id} {plan.names.get(campaign_id, '')}".rstrip()
        rows.add_row(name, pass_, _when(windows[0].start), _when(windows[-1].end), f"{len(windows):,}")
    out.print(rows)
    least = len(plan.readings) + 1
    out.print(
        f"At least {least:,} requests, one more for each further page of {plan.page_size:,} actions in a window; "
        f"{plan.requests_left:,} are left this hour. At least {duration(least * plan.seconds_a_request)} "
        f"at the API's current speed ({plan.seconds_a_request:.2f} s a request, 4 at a time)."
    )
    if plan.reference:
        out.print(f"Then {plan.reference:,} lists of the reference tables, at least a request each.")
    if plan.items:
        out.print(f"Then lists of items, of {plan.items:,} actions and of new ones, as the hourly limit allows.")


def _money(tally: Tally) -> str:
    sums: dict[str, str] = defaultdict(str)
    for currency, moved in sorted(tally.money.items()):
        sums[currency] = f"{moved:+,.2f} {currency}".strip()
    return ", ".join(sums.values()) or "0"


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "?"

"""`impact items` as the user sees it: what was read, and how far items are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from impact_source import Settings
from impact_source.errors import BudgetSpent
from impact_source.items.feed.proof import Verdict
from impact_source.items.queue import Coverage

from ..console.exits import Exit
from ..console.failures import complain
from ..console.screen import console, duration, progress
from ..lake.command import afterwards
from ..load.words import describe_feed, in_words
from .run import ItemSummary, items


def run(max_requests: int | None, prove: Sequence[str] = ()) -> int:
    """Read the queued items, show the summary, return the exit code; first forget what is known of feeds to `prove`."""
    with progress(in_words) as on_progress:
        summary = items(Settings.resolve(), max_requests, prove=prove, on_progress=on_progress)
    show(summary)
    code, _ = summary.ended
    if summary.error is not None and code is not Exit.DONE:
        complain(summary.error)
    return afterwards(code)


def show(summary: ItemSummary) -> None:
    """Print what was read and how far items are known."""
    out, tally = console(), summary.tally
    if tally.actions:
        out.print(f"{tally.items:,} items of {tally.actions:,} actions read with {summary.requests:,} requests.")
    if tally.derived:
        out.print(f"Items of {tally.derived:,} actions were derived from the change feed.")
    out.print(said(covered(summary.coverage, summary.per_hour)), soft_wrap=True)
    for line in _useless(summary):
        out.print(line, soft_wrap=True)
    if tally.not_found:
        out.print(
            f"The API does not know {tally.not_found:,} of these actions: every run requests them again for a week, "
            "then one run a week."
        )
    if tally.failed:
        out.print(f"No valid answer came for {tally.failed:,} actions: the next run requests them again.")
    if tally.rejected:
        out.print(
            f"Items of {tally.rejected:,} actions hold a value that does not fit its column: "
            "see the table rejected_records for the raw records and the reasons."
        )
    if summary.error is not None and not isinstance(summary.error, BudgetSpent):
        out.print("Reading items stopped early; everything read so far is in the warehouse.")


def _useless(summary: ItemSummary) -> Iterator[str]:
    """A line for each campaign whose change feed gives no items, unless that is still to be found out."""
    for feed in summary.feeds:
        if feed.verdict is not Verdict.PROVEN and feed.example:
            yield describe_feed(feed.campaign_id, feed.verdict, feed.agreed, feed.example)


def covered(coverage: Coverage, per_hour: float) -> dict[str, Any]:
    """How far items are known, as in `impact status --json`; `per_hour` is how many requests items may use."""
    return {
        "actions": coverage.actions,
        "current": coverage.current,
        "derived": coverage.derived,
        "outdated": coverage.outdated,
        "missing": coverage.missing,
        "not_found": coverage.not_found,
        "share_of_actions": coverage.share,
        "share_by_feed": coverage.derived_share,
        "share_by_list": coverage.listed_share,
        "share_of_amount": coverage.amount_shares,
        "hours_to_go": coverage.waiting / per_hour if per_hour else None,
    }


def said(found: dict[str, Any]) -> str:
    """What `covered` found, in a sentence or two."""
    amounts = ", ".join(f"{share:.1%} of {currency}" for currency, share in found["share_of_amount"].items())
    text = f"Items are current for {found['share_of_actions']:.1%} of {found['actions'] - found['not_found']:,} actions"
    if found["derived"]:
        text += f" (change feed {found['share_by_feed']:.1%}, lists {found['share_by_list']:.1%})"
    text += f" and {amounts} revenue" if amounts else ""
    if waiting := found["outdated"] + found["missing"]:
        hours = found["hours_to_go"]
        text += f"; {waiting:,} are queued for their lists"
        text += "" if hours is None else f", about {duration(hours * 3600)} to go"
    text += "."
    if found["derived"]:
        text += f" Names and rebates of the {found['derived']:,} derived actions will be read as requests allow."
    return text

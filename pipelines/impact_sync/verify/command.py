"""`impact verify` as the user sees it: progress, a table by month, the differences, the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from impact_source import Ask, Settings

from ..console.failures import show_unread
from ..console.screen import console, progress, table
from ..lake.command import afterwards
from ..load.words import in_words
from .compare import Cell, Kind
from .report import Report
from .run import verify

_SHOWN = 20
_COUNTS = ("verified", "missing", "stale", "gone", "newer")


def run(campaigns: tuple[str, ...], since: date | None, until: date | None, *, repair: bool) -> int:
    """Verify, show what was found, return the exit code."""
    with progress(in_words) as on_progress:
        report = verify(Settings.resolve(), Ask(campaigns, since, until), repair=repair, on_progress=on_progress)
    show(report)
    return afterwards(report.exit)


def show(report: Report) -> None:
    """Print what a verification found. Names and values from elsewhere are shown literally."""
    out = console()
    rows = table("Verified by EventDate", "campaign", "month", *_COUNTS, numbers=_COUNTS, texts=("campaign",))
    total: Counter[str] = Counter()
    for campaign_id, name in report.names.items():
        found = {month: count for (id_, month), count in report.counts.items() if id_ == campaign_id}
        for month, count in sorted(found.items(), key=lambda one: one[0] or ""):
            cells = (f"{count[name]:,}" for name in _COUNTS)
            rows.add_row(f"{campaign_id} {name}", month or "no date", *cells)
            total += count
    if rows.row_count > 1:
        rows.add_section()
        rows.add_row("total", "", *(f"{total[name]:,}" for name in _COUNTS))
    if rows.row_count:
        out.print(rows)
    _show_differences(report)
    out.print(f"{report.requests:,} requests, {sum(total.values()):,} actions compared.")
    if report.derived:
        out.print(f"The derived items of {report.derived:,} actions were compared with their lists.")
    if report.unverifiable:
        out.print(
            f"{report.unverifiable:,} actions in the warehouse can no longer be verified: they are older than the API "
            "goes back, have no EventDate, or belong to a campaign that it does not list. They are kept."
        )
    for fault in report.history:
        out.print(f"Damaged: {fault}.", soft_wrap=True)
    for note in report.notes:
        out.print(f"Note: {note}.")
    show_unread(report.failures, report.left_out)
    out.print(_verdict(report))


def _show_differences(report: Report) -> None:
    lines = [(one, cell) for one in report.differences for cell in one.cells or (Cell("", "", ""),)]
    if not lines:
        return
    rows = table("Differences", "action", "finding", "column", "here", "there", texts=("finding", "here", "there"))
    for one, cell in lines[:_SHOWN]:
        what = f"{one.kind.value}, acknowledged" if one.acknowledged else one.kind.value
        values = ("-" if value is None else value for value in (cell.here, cell.there))
        rows.add_row(one.action_id, what, cell.column, *values)
    console().print(rows)
    if len(lines) > _SHOWN:
        console().print(
            f"and {len(lines) - _SHOWN:,} more: select * from impact.verify_results where run_id = '{report.run_id}'"
        )


def _verdict(report: Report) -> str:
    return " ".join((_verdict_of_actions(report), *_verdict_of_items(report), *_verdict_of_history(report)))


def _verdict_of_items(report: Report) -> Iterator[str]:
    if report.derived_unread:
        yield (
            f"The lists of items of {report.derived_unread:,} sampled actions could not be read: whether their items "
            f"match is not known. The reason: {report.derived_reason}. To compare them, run `impact verify` again."
        )


def _verdict_of_history(report: Report) -> Iterator[str]:
    if report.history and report.repaired:
        yield "The history was repaired."
    elif report.history:
        yield "The history is damaged: `impact verify --repair` repairs it."


def _verdict_of_actions(report: Report) -> str:
    number = len(report.drift)
    if not number and report.failures:
        return "No drift in what could be read."
    if not number and report.derived and not report.derived_unread:
        return "No drift: the actions match the API, and the derived items of a sample match their lists."
    if not number:
        return "No drift: the actions match the API."
    actions, verb = f"{number:,} action{'s' if number > 1 else ''}", "differ" if number > 1 else "differs"
    gone = sum(one.kind is Kind.GONE for one in report.drift)
    if report.repaired:
        kept = f"; {gone:,} gone at the source kept and acknowledged" if gone else ""
        return f"{actions} differed: {number - gone:,} repaired{kept}."
    return f"{actions} {verb}: `impact verify --repair` repairs them and acknowledges what is gone at the source."

"""`impact status`: where the warehouse stands, from the warehouse alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dlt
from impact_source.actions.events import Outcome
from impact_source.items.feed.derive import read_feeds
from impact_source.items.feed.proof import Verdict
from impact_source.items.queue import ItemQueue
from impact_source.parsing import parse_flag, parse_ids
from impact_source.plan.cursors import Mark
from impact_source.reference.lists import choose
from impact_source.reference.marks import describe, read_marks
from impact_source.settings import REFERENCE, REQUESTS_PER_HOUR, SECTION, SPARED
from impact_source.sql import Tables
from impact_source.warehouse import Warehouse

from ..console.exits import Exit
from ..console.failures import say
from ..console.screen import console, table
from ..items.command import covered, said
from ..load.words import describe_feed
from ..views import clock_problem, zone_of
from ..warehouse.open import open_pipeline, source_state
from .gaps import find_gaps
from .unread import find_unread

_SHOWN = 5
"""The most windows of a campaign that are listed."""
_RUNS = """
select run_id, started, finished, until, outcome, exit_code, "rows", requests from sync_runs
order by started desc limit 5
"""


def run(*, as_json: bool, max_age: timedelta | None = None) -> int:
    """Print the status; returns 0, unless campaigns were last read up to more than `max_age` ago."""
    with open_pipeline(read_only=True) as pipeline:
        found = read(pipeline)
    if as_json:
        print(json.dumps(found, indent=2, default=_plain))  # noqa: T201 - this is the output
    else:
        show(found)
    if max_age is None:
        return Exit.DONE
    chosen = parse_ids(dlt.config.get("sources.impact.campaign_ids") or ())
    old = [one for one in found["campaigns"] if one["id"] in chosen or not chosen]
    late = out_of_date(old, datetime.now(UTC) - max_age)
    for line in late:
        say(line)
    return Exit.DRIFT if late else Exit.DONE


def out_of_date(campaigns: Sequence[Mapping[str, Any]], since: datetime) -> list[str]:
    """A line for each campaign that was not completely read up to `since`."""
    lines = [] if campaigns else ["no campaign has been synced yet: run `impact sync`"]
    for one in campaigns:
        marks = [one["cursors"].get(mark) for mark in (Mark.UPDATED, Mark.LOCKING)]
        if not all(marks):
            lines.append(f"campaign {one['id']} has never been synced completely: run `impact sync`")
        elif (reached := min(map(datetime.fromisoformat, marks))) < since:
            lines.append(f"campaign {one['id']} is out of date: it was last synced up to {_short(reached)} UTC")
    return lines


def read(pipeline: dlt.Pipeline) -> dict[str, Any]:
    """Campaigns with cursors, freshness and gaps, items and change feeds, rejected records, and the last runs."""
    state = source_state(pipeline)
    marks: dict[str, dict[str, str]] = state.get("campaigns", {})
    warehouse = Warehouse(pipeline)
    names = dict(warehouse.rows("select id, name from campaigns")) if warehouse.holds("campaigns") else {}
    held: dict[str, tuple[Any, ...]] = {}
    if warehouse.holds():
        sql = "select campaign_id, count(*), max(event_date), max(synced_at) from actions group by 1"
        held = {row[0]: row[1:] for row in warehouse.rows(sql)}
    ledger = warehouse.holds("sync_windows") and warehouse.holds("sync_runs")
    gaps = find_gaps(warehouse, state) if ledger else []
    unread = find_unread(warehouse) if ledger else []
    campaigns = []
    for campaign_id in sorted({*names, *held, *marks}):
        count, latest, synced = held.get(campaign_id, (0, None, None))
        campaigns.append(
            {
                "id": campaign_id,
                "name": names.get(campaign_id),
                "actions": count,
                "latest_event": latest,
                "latest_change": synced,
                "cursors": marks.get(campaign_id, {}),
                "gaps": [
                    {"pass": gap.pass_, "from": gap.start, "to": gap.end}
                    for gap in gaps
                    if gap.campaign_id == campaign_id
                ],
                "unread": [
                    {"pass": one.pass_, "from": one.start, "to": one.end, "outcome": one.outcome, "reason": one.reason}
                    for one in unread
                    if one.campaign_id == campaign_id
                ],
            }
        )
    return {
        "contract": 1,
        "time_zone": _zone(pipeline),
        "campaigns": campaigns,
        "items": covered(ItemQueue(warehouse).coverage(), _requests_for_items()),
        "feeds": [feed.row for _, feed in sorted(read_feeds(warehouse).items())],
        "reference": [
            {"table": name, "campaign": scope or None, "outcome": how, "reason": reason}
            for how in ("refused", "failed")
            for name, scope, reason in read_marks(state, how)
            if name in _reference()
        ],
        "rejected_records": _rejected(warehouse),
        "history_ends": _history_ends(warehouse),
        "runs": _runs(warehouse) if warehouse.holds("sync_runs") else [],
    }


def show(found: dict[str, Any]) -> None:
    """Print the status as tables."""
    out = console()
    columns = (
        "campaign",
        "actions",
        "latest event",
        "updated up to",
        "locks up to",
        "future locks re-read",
        "windows",
    )
    campaigns = table("Campaigns", *columns, numbers=("actions",), texts=("campaign",))
    for one in found["campaigns"]:
        cursors = one["cursors"]
        campaigns.add_row(
            f"{one['id']} {one['name'] or ''}",
            f"{one['actions']:,}",
            _short(one["latest_event"]),
            *(_short(cursors.get(mark)) for mark in ("updated", "locking", "rechecked")),
            _gaps(len(one["gaps"])) if cursors or one["gaps"] else "-",
        )
    out.print(campaigns)
    zone = found["time_zone"]
    out.print(f"Days, weeks and months are those of {zone['name']}; the times here are UTC.")
    for line in zone["problems"]:
        out.print(f"Time zone: {line}.", soft_wrap=True)
    for one in found["campaigns"]:
        for gap in one["gaps"]:
            start, end = _short(gap["from"]), _short(gap["to"])
            out.print(
                f"Gap: campaign {one['id']}, {gap['pass']}: nothing was read from {start} to {end}. "
                f"To read it: impact sync --campaign {one['id']} --since {start.replace(' ', 'T')}Z"
            )
        for line in _unread(one):
            out.print(line)
    for how, words in (("refused", "Left out: {}."), ("failed", "Not read: {}. The next run tries again.")):
        lists = [one for one in found["reference"] if one["outcome"] == how]
        for line in describe((one["table"], one["campaign"] or "", one["reason"]) for one in lists):
            out.print(words.format(line), soft_wrap=True)
    out.print(said(found["items"]), soft_wrap=True)
    _show_feeds(found["feeds"])
    runs = table(
        "Last runs", "started", "finished", "until", "outcome", "exit", "actions", "requests", texts=("outcome",)
    )
    for one in found["runs"]:
        times = (_short(one[key]) for key in ("started", "finished", "until"))
        numbers = (str(one[key]) for key in ("exit_code", "rows", "requests"))
        runs.add_row(*times, one["outcome"], *numbers)
    out.print(runs)
    if found["history_ends"]:
        out.print(
            f"History is turned off (history = false): action_history ends at {_short(found['history_ends'])} UTC: of "
            "what was replaced after that, only the current version is kept."
        )
    out.print(f"Rejected records: {found['rejected_records']:,}")


def _show_feeds(feeds: Sequence[Mapping[str, Any]]) -> None:
    """Print how far each campaign's change feed is proven, and a line for each that gives no items."""
    if not feeds:
        return
    out = console()
    rows = table("Change feeds", "campaign", "status", "agreeing lists", "compared up to", numbers=("agreeing lists",))
    for one in feeds:
        rows.add_row(one["campaign_id"], one["status"], f"{one['agreed']:,}", _short(one["checked_at"]))
    out.print(rows)
    for one in feeds:
        if one["status"] != Verdict.PROVEN:
            out.print(describe_feed(one["campaign_id"], one["status"], one["agreed"], one["example"]), soft_wrap=True)
    if (used := _item_source()) != "feed":
        out.print(f"None of them is used: sources.impact.items is {used}.")


def _gaps(count: int) -> str:
    return f"{count} gap{'s' if count > 1 else ''}" if count else "no gaps"


def _unread(campaign: Mapping[str, Any]) -> Iterator[str]:
    """A line for each of the first windows that the latest run could not read, and one for the rest."""
    failed = [window for window in campaign["unread"] if window["outcome"] != Outcome.AHEAD]
    for window in failed[:_SHOWN]:
        start, end = _short(window["from"]), _short(window["to"])
        yield (
            f"Not read: campaign {campaign['id']}, {window['pass']}, {start} to {end}: {window['reason']}. "
            "The next run tries again."
        )
    more, ahead = len(failed) - _SHOWN, len(campaign["unread"]) - len(failed)
    if more > 0:
        yield f"Not read: campaign {campaign['id']}, {more:,} more windows or actions: `impact status --json` has all."
    if ahead:
        yield f"Campaign {campaign['id']}: {ahead:,} later windows were read, and will be read again."


def _zone(pipeline: dlt.Pipeline) -> dict[str, Any]:
    """The time zone that the warehouse counts in, what the API calls it, and what is wrong with it."""
    zone, chosen = zone_of(pipeline), str(dlt.config.get(f"{SECTION}.time_zone") or "").strip()
    weeks = [datetime.now(UTC) + timedelta(weeks=week) for week in range(-104, 27)]
    problems = [one for one in (zone.problem, clock_problem(Tables(pipeline), zone.name, weeks)) if one]
    if chosen and chosen != zone.name:
        problems.append(f"{SECTION}.time_zone is {chosen}, the warehouse counts in {zone.name}: run `impact sync`")
    return {"name": zone.name, "account": zone.said or None, "configured": zone.chosen, "problems": problems}


def _history_ends(warehouse: Warehouse) -> datetime | None:
    """Up to when versions were kept, if they no longer are; None if they still are, or never were."""
    on: Any = dlt.config.get("sources.impact.history")
    if on is None or parse_flag(on) or not warehouse.holds("action_versions"):
        return None
    sql = "select coalesce((select max(valid_to) from action_versions), min(synced_at)) from actions"
    ended: datetime | None = warehouse.rows(sql)[0][0]
    return ended


def _reference() -> set[str]:
    """The lists of the reference tables that are chosen."""
    chosen: Any = dlt.config.get("sources.impact.reference")
    return {one.name for one in choose(REFERENCE if chosen is None else parse_ids(chosen))}


def _item_source() -> str:
    return str(dlt.config.get("sources.impact.items") or "feed")


def _requests_for_items() -> float:
    if _item_source() == "off" or str(dlt.config.get("sources.impact.items_max_requests")) == "0":
        return 0
    return int(dlt.config.get("sources.impact.requests_per_hour") or REQUESTS_PER_HOUR) * (1 - SPARED)


def _runs(warehouse: Warehouse) -> list[dict[str, Any]]:
    names = ("run_id", "started", "finished", "until", "outcome", "exit_code", "rows", "requests")
    return [dict(zip(names, row, strict=True)) for row in warehouse.rows(_RUNS)]


def _rejected(warehouse: Warehouse) -> int:
    sql = "select count(*) from rejected_records"
    return int(warehouse.rows(sql)[0][0]) if warehouse.holds("rejected_records") else 0


def _short(moment: datetime | str | None) -> str:
    if not moment:
        return "-"
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M}"


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON does not know
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)

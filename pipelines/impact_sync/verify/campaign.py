"""Compares one campaign with the API, along the EventDate.

Its windows are read and compared. If anything differs, what was updated since the last sync is requested once and set
apart as newer. The rest is read a second time, and what no window returned is requested by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, groupby

import pyarrow as pa
from impact_source.actions.events import Batch, Outcome, WindowDone
from impact_source.actions.reading import WindowReader
from impact_source.api.client import Client
from impact_source.errors import ShortAnswers
from impact_source.plan.axis import Axis
from impact_source.plan.gone import Gone
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.unseen import plan_unseen
from impact_source.plan.windows import Window, cut
from impact_source.settings import LATE

from . import judge
from .compare import Compared, Difference, Kind, compare, only
from .findings import Findings
from .held import Held
from .scope import Plan

_DAY = timedelta(days=1)
_PROBES = 2
"""Actions that no window returned and that are requested by id before any more of them."""
_GROWS = 10
"""The factor by which the next batch is larger."""
_NO_IDS = pa.chunked_array([], pa.string())
Events = Iterable[Batch | WindowDone]


@dataclass(frozen=True)
class _Planned(Reading):
    """A reading that still knows its original window after a split."""

    planned: Window | None = None


@dataclass
class Check:
    """What checking a campaign needs: where it reads, what it compares with, and where its findings go."""

    plan: Plan
    client: Client
    reader: WindowReader
    held: Held
    findings: Findings
    gone: Mapping[str, Gone]
    """Actions that the API did not know when last asked."""
    on_window: Callable[[WindowDone], None]
    unread: set[Window] = field(default_factory=set)
    """Windows that could not be read: actions that may be in them do not count as missing."""

    @property
    def id(self) -> str:
        """The campaign's id."""
        return self.plan.campaign_id

    def batches(self, events: Events) -> Iterator[Batch]:
        """The batches received; reports windows, and records what did not become a row."""
        for event in events:
            if isinstance(event, Batch):
                self.findings.receive(event, self.gone)
                yield event
                continue
            self.on_window(event)
            if event.outcome in {Outcome.FAILED, Outcome.LEFT_OUT}:
                self.unread.add(_planned(event))

    def compare(self, rows: pa.Table) -> Compared:
        """Compare rows of the API with the warehouse; equal ones are counted."""
        found = compare(rows, self.held.actions(rows["id"]))
        self.findings.add(self.id, found.same, "verified")
        return found

    def without_newer(self, found: Compared) -> judge.Judged:
        """What differs, without the rows that changed since the last sync by their own dates; these are counted."""
        judged = judge.without_newer(found, self.plan.synced, self.client.clock.now())
        self.findings.add(self.id, judged.newer, "newer")
        return judged


@dataclass
class Doubts:
    """What is in question after the windows were read once."""

    differing: dict[str, Difference] = field(default_factory=dict)
    """By id."""
    unreturned: dict[str, datetime] = field(default_factory=dict)
    """Their EventDate in the warehouse, by id, for actions that no window returned."""
    newer: set[str] = field(default_factory=set)
    """Those of the actions in question that changed since the last sync."""


def check_campaign(check: Check) -> None:
    """Verify a campaign."""
    doubts = _read_windows(check)
    for id_ in judge.known_gone(doubts.unreturned, check.gone, check.plan.bounds.now):
        event = doubts.unreturned.pop(id_)
        check.findings.report([Difference(check.id, id_, Kind.GONE, event, acknowledged=True)])
    _ask_what_is_newer(check, doubts)
    _read_again(check, doubts)
    _ask_for_unreturned(check, doubts)


def _read_windows(check: Check) -> Doubts:
    """Compare the rows of each window, and collect the actions that it should have returned."""
    doubts, before, plan = Doubts(), _NO_IDS, check.plan
    readings = [_Planned(check.id, Pass.VERIFY, window, planned=window) for window in plan.windows]
    for window, events in groupby(check.reader.read(readings), key=_planned):
        seen = _compare_window(check, doubts, events, before)
        before = seen
        if window in check.unread:
            continue
        for id_ in judge.only_returned(doubts.unreturned, seen):
            del doubts.unreturned[id_]
        first, last = window == plan.windows[0], window == plan.windows[-1]
        held = check.held.between(
            check.id, window.start, None if last and plan.open_ended else window.end, start_too=first
        )
        doubts.unreturned |= judge.unreturned(held, seen, doubts.differing.keys() | doubts.newer)
    return doubts


def _compare_window(check: Check, doubts: Doubts, events: Events, before: pa.ChunkedArray) -> pa.ChunkedArray:
    """Compare the rows of a window, each once; returns their ids. Those in the window `before` are done."""
    seen = _NO_IDS
    for batch in check.batches(events):
        # A row where two windows meet is in both, or in either: that depends on how the API treats the ends of a range.
        new = judge.without(judge.without(batch.records.table, before), seen)
        seen = pa.chunked_array([*seen.chunks, batch.ids], pa.string())
        found, unexpected = judge.without_unexpected(check.compare(new), check.plan.expected_from)
        check.findings.unexpected += unexpected
        judged = check.without_newer(found)
        doubts.newer |= judged.updated
        doubts.differing |= {one.action_id: one for one in judged.found.differences(check.id)}
    return seen


def _ask_what_is_newer(check: Check, doubts: Doubts) -> None:
    """If anything is in question, find out which of it was updated since the last sync."""
    asked, synced = doubts.differing.keys() | doubts.unreturned.keys(), check.plan.synced
    if not asked or synced is None:
        return
    reach = max(synced - LATE, check.plan.bounds.earliest)
    windows = cut(reach, max(check.client.clock.now(), reach))
    for batch in check.batches(check.reader.read(Reading(check.id, Pass.UPDATED, w) for w in windows)):
        doubts.newer |= asked.intersection(batch.ids.to_pylist())
    for id_ in doubts.newer & doubts.differing.keys():
        check.findings.newer(doubts.differing.pop(id_))


def _read_again(check: Check, doubts: Doubts) -> None:
    """Read what differs a second time: a difference counts if it is still there."""

    def count(window: Window) -> int:
        return sum(n for _, n in check.held.counts(check.id, Axis.EVENT, {Axis.EVENT: window}))

    dated = {id_: one.event_date for id_, one in doubts.differing.items()}
    page_size = check.client.settings.page_size
    readings, singles = plan_unseen(check.id, dated, count, check.plan.bounds, page_size)
    windows = check.reader.read(replace(reading, pass_=Pass.VERIFY) for reading in readings)
    for batch in check.batches(chain(windows, check.reader.read_singly(check.id, singles))):
        found = check.compare(only(batch.records.table, doubts.differing))
        for id_ in found.same["id"].to_pylist():
            del doubts.differing[id_]
        real = []
        for one in found.differences(check.id):
            if still := judge.lasting(doubts.differing.pop(one.action_id), one):
                real.append(still)
            else:
                check.findings.newer(one)
        check.findings.report(real, found)
    for one in doubts.differing.values():  # not returned again: it is changing right now
        check.findings.newer(one)


def _ask_for_unreturned(check: Check, doubts: Doubts) -> None:
    """Request by id what no window returned: a few first, since they may show that the windows are incomplete."""
    rest, number = sorted(doubts.unreturned), _PROBES
    while rest:
        some, rest, number = rest[:number], rest[number:], number * _GROWS
        for batch in check.batches(check.reader.read_singly(check.id, some)):
            _prove_windows(check, batch.records.table)
            check.findings.report([_gone_still(check, id_, doubts.unreturned[id_]) for id_ in batch.gone])
            judged = check.without_newer(check.compare(batch.records.table))
            doubts.newer |= judged.updated
            real, newer = judge.split(judged.found.differences(check.id), doubts.newer)
            for one in newer:
                check.findings.newer(one)
            check.findings.report(real, judged.found)


def _gone_still(check: Check, action_id: str, event: datetime) -> Difference:
    """The finding for an action that was requested by id and that the API does not know."""
    acknowledged = judge.is_acknowledged(action_id, check.gone)
    if acknowledged:
        check.findings.asked_again.add(action_id)
    return Difference(check.id, action_id, Kind.GONE, event, acknowledged=acknowledged)


def _prove_windows(check: Check, found: pa.Table) -> None:
    """Raise `ShortAnswers` if an action that no window returned exists after all, dated within one."""
    windows = check.plan.windows
    if (found_there := judge.hidden(found, check.id, Window(windows[0].start, windows[-1].end))) is None:
        return
    id_, at = found_there
    # More than a second: a server that compares to the day and excludes the end of a range would return nothing.
    instant = Reading(check.id, Pass.VERIFY, Window(at - _DAY, at + _DAY))
    if any(id_ in batch.ids.to_pylist() for batch in list(check.batches(check.reader.read([instant])))):
        return  # it came back in the meantime
    if instant.window in check.unread:
        return
    msg = (
        f"the API hides action {id_} from a query by its EventDate, as if that covered the past seven days only: "
        "nothing can be verified like this. Nothing was written; please report it"
    )
    raise ShortAnswers(msg)


def _planned(event: Batch | WindowDone) -> Window:
    reading = event.reading
    return reading.planned if isinstance(reading, _Planned) and reading.planned else reading.window

"""One campaign against the API, along the EventDate.

Its windows are read and compared. If anything differs, what was updated since the last sync is asked for once and
set apart as newer; the rest is read a second time, and what no window returned is asked for by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, groupby

import pyarrow as pa
import pyarrow.compute as pc
from impact_source.actions.events import Batch, Outcome, WindowDone
from impact_source.actions.reading import WindowReader
from impact_source.api.client import Client
from impact_source.errors import ShortAnswers
from impact_source.plan.axis import Axis
from impact_source.plan.gone import Gone
from impact_source.plan.passes import Bounds, Pass, Reading
from impact_source.plan.unseen import plan_unseen
from impact_source.plan.windows import Window, cut
from impact_source.settings import LATE

from .compare import Compared, Difference, Kind, compare, newer, only
from .findings import Findings, without
from .held import Held

_DAY = timedelta(days=1)
_PROBES = 2
"""Actions that no window returned and that are asked for by id before more of them are."""
_GROWS = 10
"""By how much more than before."""
Events = Iterable[Batch | WindowDone]


@dataclass(frozen=True)
class Plan:
    """What is verified of a campaign."""

    campaign_id: str
    windows: tuple[Window, ...]
    bounds: Bounds
    synced: datetime | None
    """How far the last sync reached; None if there was none: then all that differs is newer."""
    open_ended: bool
    """Whether what the warehouse dates after the last window should have been in it."""
    expected_from: datetime | None = None
    """Actions created before this need not be held."""


@dataclass(frozen=True)
class _Planned(Reading):
    """A reading whose parts, if it must be cut, still tell which window they are of."""

    planned: Window | None = None


class CampaignCheck:
    """Verifies one campaign. `on_window` is told of each window that was read, with the rows in it."""

    def __init__(  # noqa: PLR0913 - what it reads, what it compares with, where it notes
        self,
        plan: Plan,
        client: Client,
        reader: WindowReader,
        held: Held,
        findings: Findings,
        *,
        on_window: Callable[[WindowDone], None],
    ) -> None:
        self._plan, self._id = plan, plan.campaign_id
        self._client, self._reader, self._held, self._findings = client, reader, held, findings
        self._on_window = on_window
        self._doubts: dict[str, Difference] = {}
        """What differs at the first reading, by id."""
        self._before: set[str] = set()
        """Ids that the window before returned."""
        self._unreturned: dict[str, datetime] = {}
        """EventDate here of the actions that no window returned, by id."""
        self._newer: set[str] = set()
        """Actions that changed since the last sync, as far as they were in question."""
        self._gone: Mapping[str, Gone] = {}
        """Actions that the API did not know when last asked."""
        self._unread: set[Window] = set()
        """Windows that could not be read: nothing is missing there that may be in them."""

    def run(self, gone: Mapping[str, Gone]) -> None:
        """Verify. Actions that are acknowledged to be `gone` are asked for by id only now and then."""
        self._gone = gone
        readings = [_Planned(self._id, Pass.VERIFY, window, planned=window) for window in self._plan.windows]
        for window, events in groupby(self._reader.read(readings), key=_planned):
            seen = self._compare_window(events)
            if window not in self._unread:
                self._look_who_is_missing_there(window, seen)
        now = self._plan.bounds.now
        known = sorted(id_ for id_ in self._unreturned if self._is_acknowledged(id_) and not gone[id_].is_news(now))
        dated = [(id_, self._unreturned.pop(id_)) for id_ in known]
        self._findings.report([Difference(self._id, id_, Kind.GONE, at, acknowledged=True) for id_, at in dated])
        self._ask_what_is_newer()
        self._read_again()
        self._ask_for_unreturned()

    def _compare_window(self, events: Events) -> set[str]:
        """Compare the rows of a window, each once; their ids."""
        seen: set[str] = set()
        for batch in self._batches(events):
            table = batch.records.table
            # What lies where two windows meet is in both, or in either: it depends on what the API makes of a range.
            known = seen | self._before
            new = pa.array([id_ not in known for id_ in table["id"].to_pylist()], pa.bool_())
            seen.update(batch.ids.to_pylist())
            found = self._less_newer(self._expected(self._compare(table.filter(new))))
            self._findings.add(self._id, found.same, "verified")
            self._doubts |= {one.action_id: one for one in found.differences(self._id)}
        self._before = seen
        return seen

    def _look_who_is_missing_there(self, window: Window, seen: set[str]) -> None:
        """Note the warehouse's actions that were not among those `seen` in a window, nor in one before."""
        for id_ in self._unreturned.keys() & seen:
            del self._unreturned[id_]
        first, last = window == self._plan.windows[0], window == self._plan.windows[-1]
        end = None if last and self._plan.open_ended else window.end
        known = seen | self._doubts.keys() | self._newer
        held = self._held.between(self._id, window.start, end, start_too=first)
        self._unreturned |= {id_: event for id_, event in held if id_ not in known}

    def _expected(self, found: Compared) -> Compared:
        """Less the missing actions that no sync would load, since it begins later."""
        start, missing = self._plan.expected_from, found.missing
        if start is None or not len(missing):
            return found
        late = missing.filter(pc.greater_equal(missing["creation_date"], pa.scalar(start)))
        self._findings.unexpected += len(missing) - len(late)
        return replace(found, missing=late)

    def _less_newer(self, found: Compared) -> Compared:
        """Less the rows that changed since the last sync, as their own dates tell; these are counted."""
        if not len(found.missing) + len(found.stale):
            return found
        if self._plan.synced is None:
            masks = [pa.array([True] * len(rows), pa.bool_()) for rows in (found.missing, found.stale)]
        else:
            masks = list(newer(found, self._plan.synced, self._client.clock.now()))
        for rows, mask in zip((found.missing, found.stale), masks, strict=True):
            self._findings.add(self._id, rows.filter(mask), "newer")
        self._newer |= set(found.stale.filter(masks[1])["id"].to_pylist())
        missing, stale = found.missing.filter(pc.invert(masks[0])), found.stale.filter(pc.invert(masks[1]))
        return replace(found, missing=missing, stale=stale)

    def _ask_what_is_newer(self) -> None:
        """Find what was updated since the last sync among what is in question, if anything is."""
        asked = self._doubts.keys() | self._unreturned.keys()
        if not asked or self._plan.synced is None:
            return
        reach = max(self._plan.synced - LATE, self._plan.bounds.earliest)
        windows = cut(reach, max(self._client.clock.now(), reach))
        for batch in self._batches(self._reader.read(Reading(self._id, Pass.UPDATED, w) for w in windows)):
            self._newer |= asked.intersection(batch.ids.to_pylist())
        for id_ in self._newer & self._doubts.keys():
            self._findings.newer(self._doubts.pop(id_))

    def _read_again(self) -> None:
        """Read what differs a second time: a difference counts if it is still there."""

        def count(window: Window) -> int:
            return sum(n for _, n in self._held.counts(self._id, Axis.EVENT, {Axis.EVENT: window}))

        dated = {id_: one.event_date for id_, one in self._doubts.items()}
        page_size = self._client.settings.page_size
        readings, singles = plan_unseen(self._id, dated, count, self._plan.bounds, page_size)
        windows = self._reader.read(replace(reading, pass_=Pass.VERIFY) for reading in readings)
        for batch in self._batches(chain(windows, self._reader.read_singly(self._id, singles))):
            found = self._compare(only(batch.records.table, self._doubts))
            self._findings.add(self._id, found.same, "verified")
            for id_ in found.same["id"].to_pylist():
                del self._doubts[id_]
            lasting = [self._lasting(one) for one in found.differences(self._id)]
            self._findings.report([one for one in lasting if one is not None], found)
        for one in self._doubts.values():  # not returned again: it is changing right now
            self._findings.newer(one)

    def _lasting(self, now: Difference) -> Difference | None:
        """What differs as it did at the first reading; what differs in other columns is changing right now."""
        columns = {cell.column for cell in self._doubts.pop(now.action_id).cells}
        cells = tuple(cell for cell in now.cells if cell.column in columns)
        if now.kind is Kind.STALE and not cells:
            self._findings.newer(now)
            return None
        return replace(now, cells=cells)

    def _ask_for_unreturned(self) -> None:
        """Ask by id for what no window returned: a few first, since they may tell that the windows are short."""
        rest, number = sorted(self._unreturned), _PROBES
        while rest:
            some, rest, number = rest[:number], rest[number:], number * _GROWS
            for batch in self._batches(self._reader.read_singly(self._id, some)):
                self._prove_windows(batch.records.table)
                self._findings.report([self._gone_still(id_) for id_ in batch.gone])
                compared = self._compare(batch.records.table)
                self._findings.add(self._id, compared.same, "verified")
                found = self._less_newer(compared)
                differences = found.differences(self._id)
                real = without(differences, self._newer)
                for one in differences:
                    if one not in real:
                        self._findings.newer(one)
                self._findings.report(real, found)

    def _is_acknowledged(self, action_id: str) -> bool:
        return action_id in self._gone and self._gone[action_id].acknowledged

    def _gone_still(self, action_id: str) -> Difference:
        """The finding for an action that was asked for by id, and that the API does not know."""
        acknowledged = self._is_acknowledged(action_id)
        if acknowledged:
            self._findings.asked_again.add(action_id)
        return Difference(self._id, action_id, Kind.GONE, self._unreturned[action_id], acknowledged=acknowledged)

    def _prove_windows(self, found: pa.Table) -> None:
        """Raise `ShortAnswers` if an action that no window returned is there all the same, dated within one."""
        start, end = self._plan.windows[0].start, self._plan.windows[-1].end
        event = found["event_date"]
        dated = pc.and_(pc.greater_equal(event, pa.scalar(start)), pc.less_equal(event, pa.scalar(end)))
        inside = found.filter(pc.and_(dated, pc.equal(found["campaign_id"], self._id)))
        if not len(inside):
            return
        id_, at = inside["id"][0].as_py(), inside["event_date"][0].as_py()
        # Not a second of it: a server that compares to the day and leaves the end of a range out has nothing there.
        instant = Reading(self._id, Pass.VERIFY, Window(at - _DAY, at + _DAY))
        if any(id_ in batch.ids.to_pylist() for batch in list(self._batches(self._reader.read([instant])))):
            return  # it came back in the meantime
        if instant.window in self._unread:
            return
        msg = (
            f"the API hides action {id_} from a query by its EventDate, as if that covered the past seven days only: "
            "nothing can be verified like this. Nothing was written; please report it"
        )
        raise ShortAnswers(msg)

    def _batches(self, events: Events) -> Iterator[Batch]:
        for event in events:
            if isinstance(event, WindowDone):
                self._on_window(event)
                if event.outcome in {Outcome.FAILED, Outcome.LEFT_OUT}:
                    self._unread.add(_planned(event))
                continue
            self._findings.rejected |= {record.id or record.raw for record in event.records.rejected}
            if self._gone:
                self._findings.back |= dict.fromkeys(self._gone.keys() & set(event.ids.to_pylist()), self._id)
            self._findings.misfits |= {record.id or "": (record, event) for record in event.records.misfits}
            yield event

    def _compare(self, rows: pa.Table) -> Compared:
        return compare(rows, self._held.actions(rows["id"]))


def _planned(event: Batch | WindowDone) -> Window:
    reading = event.reading
    return reading.planned if isinstance(reading, _Planned) and reading.planned else reading.window

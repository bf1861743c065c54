"""`impact verify`: an independent proof that the warehouse is true, and the repair of what is not.

A campaign is read once more along the EventDate, which no sync walks along, and every column is compared. What
changed since the last sync is *newer* and no drift; any other difference is read a second time before it counts.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, groupby
from typing import Any, Self, cast

import dlt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.compare import Compared, Difference, Kind, compare, months, only, touched
from pipelines.descriptions import describe
from pipelines.exits import Exit
from pipelines.held import Held
from pipelines.warehouse import open_pipeline
from sources.impact import Ask, Settings, Walk, impact
from sources.impact.client import Client
from sources.impact.columns import CAMPAIGN
from sources.impact.errors import ConfigurationError, InvalidAnswer, ShortAnswers, UnknownCampaign
from sources.impact.landing import Lander, Landing, finding
from sources.impact.passes import Bounds, Cursors, Mark, Pass, Reading, plan_unseen
from sources.impact.protocol import Axis
from sources.impact.reading import Batch, WindowDone, WindowReader
from sources.impact.tables import Reader
from sources.impact.walk import Progress, State, own
from sources.impact.warehouse import Warehouse
from sources.impact.windows import Window, cut

LAG = timedelta(hours=1)
"""Rows show up so late at the API: what happened this long before the last sync may be new to it."""
_PROBES = 2
"""Actions that no window returned and that are asked for by id before more of them are."""
Count = Counter[str]
"""Of a campaign and a month: how many are verified, missing, stale, gone and newer."""


@dataclass(frozen=True)
class Report:
    """What a verification found."""

    run_id: str
    names: dict[str, str]
    counts: dict[tuple[str, str | None], Count]
    differences: tuple[Difference, ...]
    requests: int
    unverifiable: int
    repaired: bool = False
    """Whether everything that differed was mended, and what is gone taken note of."""
    notes: tuple[str, ...] = ()

    @property
    def drift(self) -> tuple[Difference, ...]:
        """The differences that count: all but those that were acknowledged before."""
        return tuple(one for one in self.differences if not one.acknowledged)

    @property
    def exit(self) -> Exit:
        """The exit code of the command."""
        return Exit.DRIFT if self.drift and not self.repaired else Exit.DONE


def verify(
    settings: Settings,
    ask: Ask = Ask(),  # noqa: B008 - it is immutable
    *,
    repair: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Compare the warehouse with the API, note what differs in `verify_results`, and with `repair` mend it.

    Raises an `ImpactError`, nothing written, where the API could not be read to the end.
    """
    with (
        open_pipeline() as pipeline,
        Client(settings) as client,
        Verification(client, pipeline, ask, repair=repair, on_progress=on_progress) as verification,
    ):
        report = verification.read(pipeline.state.get("sources", {}).get("impact", {}))
        pipeline.run(impact(walk=cast("Walk", verification)))  # which asks of a walk its packages alone
        describe(pipeline)
        return replace(report, repaired=repair and verification.is_mended())


@dataclass(frozen=True)
class _Planned(Reading):
    """A reading whose parts, if it must be cut, still tell which window they are of."""

    planned: Window | None = None


@dataclass
class _Campaign:
    """A campaign under verification: its windows, and what was found in it so far."""

    id: str
    windows: list[Window]
    since: datetime | None
    """What happened after this is newer than the last sync; None if there was none."""
    open_ended: bool
    """Whether what the warehouse dates after the last window should have been in it."""
    doubts: dict[str, Difference] = field(default_factory=dict)
    """What differs at the first reading, by id."""
    unreturned: dict[str, datetime] = field(default_factory=dict)
    """EventDate here of the actions that no window returned, by id."""
    newer: set[str] = field(default_factory=set)
    """Actions known to have changed since the last sync, as far as they were in question."""

    def holds(self, event: datetime | None) -> bool:
        """Whether its windows hold an EventDate."""
        return event is not None and self.windows[0].start <= event <= self.windows[-1].end


class Verification:
    """Reads an account along the EventDate and compares. Close it, or use it as a context."""

    def __init__(
        self,
        client: Client,
        pipeline: dlt.Pipeline,
        ask: Ask = Ask(),  # noqa: B008 - it is immutable
        *,
        repair: bool = False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.run_id = uuid.uuid4().hex
        self._client, self._ask, self._repair, self._on_progress = client, ask, repair, on_progress
        self._warehouse, self._held = Warehouse(pipeline), Held(pipeline)
        self._reader = WindowReader(client, client.settings.page_size, self._warehouse)
        self._lander = Lander(self._warehouse, self.run_id)
        self._counts: dict[tuple[str, str | None], Count] = {}
        self._differences: dict[str, Difference] = {}
        self._mend: list[pa.Table] = []
        self._windows: list[dict[str, Any]] = []
        self._notes: list[str] = []
        self._planned = self._done = self._rows = self._rejected = self._unexpected = 0

    def __enter__(self) -> Self:
        """The verification itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon what is fetched ahead."""
        self._reader.close()

    def read(self, state: State) -> Report:
        """Read and compare. `state` is that of the source; it is left as it is."""
        state = deepcopy(state)
        own(state, self._client.settings)
        if not state.get("campaigns") and not self._warehouse.holds():
            msg = "there is nothing to verify yet: run `impact sync` first"
            raise ConfigurationError(msg)
        names = self._list_campaigns()
        chosen = self._choose(names)
        cursors = {id_: Cursors(state, id_).get(Mark.UPDATED) for id_ in chosen}
        begun = self._held_of(chosen, cursors)
        acknowledged = self._held.acknowledged()
        self._planned = sum(len(self._plan(id_, cursors[id_]).windows) for id_ in begun)
        for id_ in begun:
            self._verify(self._plan(id_, cursors[id_]), acknowledged)
        self._note(min((at for at in cursors.values() if at), default=None))
        strays = not (self._ask.campaigns or self._client.settings.campaign_ids)
        earliest = self._bounds().earliest
        return Report(
            self.run_id,
            {id_: names[id_] for id_ in chosen},
            self._counts,
            tuple(self._differences.values()),
            self._client.budget.spent,
            self._held.unverifiable(list(names) if strays else chosen, earliest, strays=strays),
            notes=tuple(self._notes),
        )

    def package(self, state: State) -> Iterator[Landing]:
        """What is to be written: the windows that were read, the findings, and the rows to mend."""
        own(state, self._client.settings)
        at = self._client.clock.now()
        drift = [one for one in self._differences.values() if not one.acknowledged]
        yield Landing(windows=self._windows, findings=[row for one in drift for row in self._finding(one, at)])
        for rows in self._mend if self._repair else []:
            yield Landing(actions=rows)

    def is_mended(self) -> bool:
        """Whether the warehouse now holds every row that was to be mended as it was read."""
        found = [compare(rows, self._warehouse.actions(rows["id"])) for rows in self._mend]
        return not any(len(one.differing) for one in found)

    def _finding(self, one: Difference, at: datetime) -> list[dict[str, Any]]:
        common: dict[str, Any] = {"month": one.month, "repaired": self._repair}
        what = (self.run_id, one.campaign_id, one.action_id, one.kind.value, at)
        if not one.cells:
            return [finding(*what, **common)]
        return [finding(*what, **common, column=c.column, here=c.here, there=c.there) for c in one.cells]

    def _list_campaigns(self) -> dict[str, str]:
        reader, total = Reader(CAMPAIGN), None
        names: dict[str, str] = {}
        for answer in self._client.campaigns():
            table, total = reader.read(answer.value.records, answer.read_at).table, answer.value.total
            names |= dict(zip(table["id"].to_pylist(), table["name"].to_pylist(), strict=True))
        if total is not None and len(names) != total:
            msg = f"the list of campaigns is not whole: it says {total} and holds {len(names)} that can be read"
            raise InvalidAnswer(msg)
        return {id_: name or "" for id_, name in names.items()}

    def _choose(self, names: dict[str, str]) -> list[str]:
        asked = self._ask.campaigns or self._client.settings.campaign_ids
        if unknown := [id_ for id_ in asked if id_ not in names]:
            known = ", ".join(f"{id_} ({name})" for id_, name in names.items()) or "none"
            msg = f"the account has no campaign {', '.join(unknown)}; it has {known}"
            raise UnknownCampaign(msg)
        return list(dict.fromkeys(asked)) or list(names)

    def _held_of(self, chosen: list[str], cursors: dict[str, datetime | None]) -> list[str]:
        """Those of the campaigns that were synced, in whole or in part."""
        held = self._warehouse.campaigns()
        begun = [id_ for id_ in chosen if cursors[id_] or id_ in held]
        if missing := [id_ for id_ in chosen if id_ not in begun]:
            self._notes.append(f"not synced yet and left out: {', '.join(missing)}")
        return begun

    def _bounds(self) -> Bounds:
        now = self._client.clock.now().replace(microsecond=0)
        return Bounds(now, self._ask.until or now, self._ask.since)

    def _plan(self, campaign_id: str, cursor: datetime | None) -> _Campaign:
        """The windows of a campaign, as of now: the API's horizon moves while others are read."""
        bounds = self._bounds()
        since = bounds.since or self._usual_start(campaign_id) or bounds.earliest
        start = max(since, bounds.earliest)
        if start > bounds.until:
            msg = f"there is nothing to verify between {start.isoformat()} and {bounds.until.isoformat()}"
            raise ConfigurationError(msg)
        self._reader.horizon = Window(bounds.earliest, max(bounds.now, bounds.until))
        reach = None if cursor is None else max(cursor - LAG, bounds.earliest)
        return _Campaign(campaign_id, cut(start, bounds.until), reach, open_ended=self._ask.until is None)

    def _usual_start(self, campaign_id: str) -> datetime | None:
        """Where to begin if a sync does not reach back as far as the API; what it holds from before is verified too."""
        start = self._client.settings.start_date
        if start is None:
            return None
        return min(start, self._held.earliest(campaign_id) or start)

    def _verify(self, campaign: _Campaign, acknowledged: set[str]) -> None:
        readings = [_Planned(campaign.id, Pass.VERIFY, w, planned=w) for w in campaign.windows]
        for window, events in groupby(self._reader.read(readings), key=_planned_window):
            self._compare_window(campaign, window, events)
        for id_ in acknowledged & campaign.unreturned.keys():
            event = campaign.unreturned.pop(id_)
            self._report(Difference(campaign.id, id_, Kind.GONE, event, acknowledged=True))
        self._ask_what_is_newer(campaign)
        self._read_again(campaign)
        self._look_for_unreturned(campaign)

    def _compare_window(self, campaign: _Campaign, window: Window, events: Iterable[Batch | WindowDone]) -> None:
        """Compare the rows of a window, then see which of the warehouse's were not among them."""
        seen: set[str] = set()
        first = window == campaign.windows[0]
        for batch in self._batches(campaign, events):
            table = batch.records.table
            new = pa.array([id_ not in seen for id_ in table["id"].to_pylist()], pa.bool_())
            if not first:  # its first instant is the last of the window before
                new = pc.and_(new, pc.greater(table["event_date"], pa.scalar(window.start)))
            seen.update(batch.ids.to_pylist())
            self._doubt(campaign, table.filter(new))
        for id_ in campaign.unreturned.keys() & seen:
            del campaign.unreturned[id_]
        last = window == campaign.windows[-1]
        end = None if last and campaign.open_ended else window.end
        for id_, event in self._held.between(campaign.id, window.start, end, start_too=first):
            if id_ not in seen and id_ not in campaign.doubts and id_ not in campaign.newer:
                campaign.unreturned[id_] = event

    def _doubt(self, campaign: _Campaign, table: pa.Table) -> None:
        found = self._compare(table)
        missing, stale = (self._less_newer(campaign, rows) for rows in (self._expected(found.missing), found.stale))
        campaign.newer |= set(found.stale["id"].to_pylist()) - set(stale["id"].to_pylist())
        for one in replace(found, missing=missing, stale=stale).differences(campaign.id):
            campaign.doubts[one.action_id] = one
        self._add(campaign, found.same, "verified")

    def _expected(self, missing: pa.Table) -> pa.Table:
        """Less the actions from before the configured start, which no sync would load."""
        start = self._client.settings.start_date
        if start is None:
            return missing
        expected = pc.fill_null(pc.greater_equal(missing["creation_date"], pa.scalar(start)), fill_value=True)
        self._unexpected += len(missing) - (pc.sum(expected).as_py() or 0)
        return missing.filter(expected)

    def _less_newer(self, campaign: _Campaign, rows: pa.Table) -> pa.Table:
        """Less the rows that changed since the last sync, by their own dates; these are counted."""
        if not len(rows):
            return rows
        if campaign.since is None:  # nothing vouches for the campaign yet
            newer = pa.array([True] * len(rows))
        else:
            newer = touched(rows, campaign.since, self._client.clock.now())
        self._add(campaign, rows.filter(newer), "newer")
        return rows.filter(pc.invert(newer))

    def _ask_what_is_newer(self, campaign: _Campaign) -> None:
        """Find what was updated since the last sync among what is in question, if anything is."""
        asked = campaign.doubts.keys() | campaign.unreturned.keys()
        if not asked or campaign.since is None:
            return
        windows = cut(campaign.since, max(self._client.clock.now(), campaign.since))
        events = self._reader.read(Reading(campaign.id, Pass.UPDATED, window) for window in windows)
        for batch in self._batches(campaign, events):
            campaign.newer |= asked.intersection(batch.ids.to_pylist())
        for id_ in campaign.newer & campaign.doubts.keys():
            self._tally(campaign, campaign.doubts.pop(id_).month)["newer"] += 1

    def _read_again(self, campaign: _Campaign) -> None:
        """Read what differs a second time: a difference counts if it is still there."""

        def count(window: Window) -> int:
            return sum(n for _, n in self._warehouse.counts(campaign.id, Axis.EVENT, {Axis.EVENT: window}))

        left = campaign.doubts
        dated = {id_: one.event_date for id_, one in left.items()}
        page_size = self._client.settings.page_size
        readings, singles = plan_unseen(campaign.id, dated, count, self._bounds(), page_size)
        windows = self._reader.read(replace(reading, pass_=Pass.VERIFY) for reading in readings)
        events = chain(windows, self._reader.read_singly(campaign.id, singles))
        for batch in self._batches(campaign, events):
            found = self._compare(only(batch.records.table, left))
            self._add(campaign, found.same, "verified")
            for id_ in found.same["id"].to_pylist():
                del left[id_]
            self._settle(campaign, found, left)
        for one in left.values():  # not returned again: it is changing right now
            self._tally(campaign, one.month)["newer"] += 1

    def _settle(self, campaign: _Campaign, found: Compared, left: dict[str, Difference]) -> None:
        """Report what differs as it did at the first reading; what differs in other columns is changing right now."""
        real = []
        for now in found.differences(campaign.id):
            before = left.pop(now.action_id)
            lasting = {cell.column for cell in before.cells}
            cells = tuple(cell for cell in now.cells if cell.column in lasting)
            if now.kind is Kind.STALE and not cells:
                self._tally(campaign, now.month)["newer"] += 1
                continue
            self._report(replace(now, cells=cells))
            real.append(now.action_id)
        self._mend_with(found, real)

    def _look_for_unreturned(self, campaign: _Campaign) -> None:
        """Ask by id for what no window returned: a few first, since they may tell that the windows are short."""
        rest, number = sorted(campaign.unreturned), _PROBES
        while rest:
            some, rest, number = rest[:number], rest[number:], number * 10
            for batch in self._batches(campaign, self._reader.read_singly(campaign.id, some)):
                self._prove_windows(campaign, batch.records.table)
                for id_ in batch.gone:
                    self._report(Difference(campaign.id, id_, Kind.GONE, campaign.unreturned[id_]))
                found = self._compare(batch.records.table)
                self._add(campaign, found.same, "verified")
                self._drop_newer(campaign, found)

    def _drop_newer(self, campaign: _Campaign, found: Compared) -> None:
        """Report what came back different, unless it changed since the last sync."""
        real = []
        old = set(self._less_newer(campaign, found.stale)["id"].to_pylist())
        for one in found.differences(campaign.id):
            if one.action_id in old and one.action_id in campaign.newer:
                self._tally(campaign, one.month)["newer"] += 1
            elif one.action_id in old:
                self._report(one)
                real.append(one.action_id)
        self._mend_with(found, real)

    def _prove_windows(self, campaign: _Campaign, found: pa.Table) -> None:
        """Raise `ShortAnswers` if an action that its window did not return is there, dated within the window."""
        own = found.filter(pc.equal(found["campaign_id"], campaign.id))
        for id_, event in zip(own["id"].to_pylist(), own["event_date"].to_pylist(), strict=True):
            if not campaign.holds(event):
                continue
            instant = Reading(campaign.id, Pass.VERIFY, Window(event, event + timedelta(milliseconds=1)))
            batches = self._batches(campaign, self._reader.read([instant]))
            if any(id_ in batch.ids.to_pylist() for batch in list(batches)):
                return  # it came back in the meantime
            msg = (
                f"the API hides action {id_} from a query by its EventDate, as if that covered the past seven days "
                "only: nothing can be verified like this. Nothing was written; please report it"
            )
            raise ShortAnswers(msg)

    def _batches(self, campaign: _Campaign, events: Iterable[Batch | WindowDone]) -> Iterator[Batch]:
        """The batches among the events; the windows are noted and shown."""
        for event in events:
            if isinstance(event, Batch):
                self._rejected += len(event.records.rejected)
                self._rows += len(event.records.table)
                yield event
                continue
            self._windows.append(self._lander.window_row(event))
            self._done += 1
            windows, left = max(self._planned, self._done), self._client.budget.remaining
            self._on_progress(Progress(campaign.id, Pass.VERIFY.value, self._done, windows, self._rows, left))

    def _compare(self, rows: pa.Table) -> Compared:
        return compare(rows, self._warehouse.actions(rows["id"]))

    def _mend_with(self, found: Compared, ids: Collection[str]) -> None:
        if ids:
            self._mend.append(only(found.differing, ids))

    def _report(self, one: Difference) -> None:
        if one.action_id not in self._differences:  # else it was found under the campaign that it is of, too
            self._differences[one.action_id] = one
            self._counts.setdefault((one.campaign_id, one.month), Counter())[one.kind.value] += 1

    def _add(self, campaign: _Campaign, rows: pa.Table, what: str) -> None:
        for month, number in months(rows).items():
            self._tally(campaign, month)[what] += number

    def _tally(self, campaign: _Campaign, month: str | None) -> Count:
        return self._counts.setdefault((campaign.id, month), Counter())

    def _note(self, synced: datetime | None) -> None:
        bounds = self._bounds()
        if bounds.since and bounds.since < bounds.earliest:
            self._notes.append(f"the API goes back three years: verified from {bounds.earliest.date().isoformat()}")
        if self._rejected:
            self._notes.append(f"{self._rejected:,} records could not be typed and were not compared")
        if self._unexpected:
            self._notes.append(f"{self._unexpected:,} actions from before start_date are not held, as configured")
        if self._differences and synced and bounds.now - synced > LAG:
            self._notes.append(
                f"the last sync reached {synced:%Y-%m-%d %H:%M} UTC; an approval by hand since then tells no date and "
                "looks like drift: to be sure, sync and verify again"
            )


def _planned_window(event: Batch | WindowDone) -> Window:
    reading = event.reading
    return reading.planned if isinstance(reading, _Planned) and reading.planned else reading.window

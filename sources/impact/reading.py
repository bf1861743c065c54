"""Windows become batches of typed rows: fetched ahead in threads, checked to be whole, cut where they are not."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import islice
from threading import BoundedSemaphore
from typing import Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from sources.impact import parting
from sources.impact.ahead import Ahead, Listed
from sources.impact.client import Answer, Client
from sources.impact.columns import ACTION
from sources.impact.errors import NotFound, ReadingError, RequestRefused, WindowNotWhole, WindowTooFull
from sources.impact.parting import Counts
from sources.impact.passes import Pass, Reading
from sources.impact.protocol import Axis, Page
from sources.impact.settings import PAGE_SIZE_MAX, PAGES_MAX, STATES
from sources.impact.tables import Reader, Records
from sources.impact.unread import Failure, Unread
from sources.impact.waiting import Pool
from sources.impact.windows import Window, cut

_IN_FLIGHT = 4
"""Requests: enough to hide the network behind the parsing, few enough to keep memory flat."""
_ROWS_AHEAD = 100_000
"""Rows read while a package loads, as far as pages of full size go: memory is what bounds them."""
_AHEAD_MAX = 16
_SINGLES = 200
"""Actions read one by one that make a batch."""
FAILED = "failed"
"""The outcome of a window, or of an action, that could not be read."""
LEFT_OUT = "left out"
"""The outcome of a window that was not asked for, since those before it could not be read."""
AHEAD = "ahead"
"""The outcome of a window that was read whole after one that could not be: its cursor stays before both."""
_TRIES = 3
"""How often a page that contradicts its own total is read."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """The rows of one page, or of some actions read one by one; `gone` are ids that the API no longer knows.

    `arrived` counts seconds: of two batches, the one with the larger was read later.
    """

    reading: Reading
    records: Records
    read_at: datetime
    arrived: float
    gone: tuple[str, ...] = ()

    @cached_property
    def ids(self) -> pa.Array:
        """Ids of the records, readable or not; one without an id counts by its raw JSON."""
        rejected = [record.id or f"{n} {record.raw}" for n, record in enumerate(self.records.rejected)]
        return pa.concat_arrays([*self.records.table["id"].chunks, pa.array(rejected, pa.string())])


@dataclass(frozen=True)
class WindowDone:
    """One window was read, or not: what `sync_windows` says of it; `reason` is why it could not be read."""

    reading: Reading
    outcome: str
    total: int | None = None
    rows: int = 0
    pages: int = 0
    requests: int = 0
    seconds: float = 0.0
    reason: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the window was received completely, in one piece or in parts."""
        return self.outcome in {"whole", "parted"}


class Known(Protocol):
    """What is known of where actions lie; used to cut well, never to decide what is complete."""

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:
        """How many actions of a campaign lie at each instant of a date, within these windows."""


@dataclass(frozen=True)
class _Fetched:
    page: Page
    batch: Batch
    requests: int
    seconds: float


def failed(reading: Reading, error: ReadingError) -> WindowDone:
    """A window that could not be read."""
    return WindowDone(reading, FAILED, reason=str(error))


Events = Iterator[Batch | WindowDone]
Single: TypeAlias = Answer[bytes] | ReadingError | None
"""What the API says of one id: the action, None if it knows no such action, or why it could not be asked."""
_Reads = Generator[Batch | WindowDone, None, list[pa.Array]]
"""Events, and at the end the ids that were received."""


class WindowReader:
    """Reads windows in order, the next ones fetched and parsed meanwhile. Close it, or its threads linger.

    `horizon` holds every EventDate that an action can have.
    """

    def __init__(self, client: Client, page_size: int, known: Known) -> None:
        self.horizon: Window | None = None
        self.unread = Unread()
        """What could not be read."""
        self._client = client
        self._page_size = page_size
        self._known = known
        self._reader = Reader(ACTION)
        self._pages_may_grow = page_size < PAGE_SIZE_MAX
        self._most_ahead = max(_IN_FLIGHT, min(_AHEAD_MAX, _ROWS_AHEAD // page_size))
        # One core is for the thread that writes, which all others wait for in the end.
        self._parsing = BoundedSemaphore(max(1, (os.cpu_count() or 1) - 1))
        self._pool = Pool(_IN_FLIGHT, "impact-read", "a page of actions", client.longest)

    def close(self) -> None:
        """Abandon what is not fetched yet and end the threads; the client then sends no more requests."""
        self._client.stop()
        self._pool.end()

    def read(self, readings: Iterable[Reading]) -> Events:
        """Batches of each window in order, each window (or the parts it had to be cut into) ended by `WindowDone`.

        A window that cannot be read ends as `failed`, and the next one is read. Raises what ends a run.
        """
        skipped = self.unread.left_out
        before = len(skipped)
        for window in self._ahead(readings, self._skip):
            try:
                yield from self._window(window)
            except ReadingError as error:
                window.drop()
                yield failed(window.wanted, error)
                self.unread.fail(Failure(window.wanted, error))
            else:
                self.unread.succeed(window.wanted)
        for reading in skipped[before:]:
            yield WindowDone(reading, LEFT_OUT, reason="too many windows before it could not be read")

    def read_singly(self, campaign_id: str, ids: Sequence[str]) -> Events:
        """Batches of the actions with these ids, one request each; ids that the API does not know are in `gone`.

        An action that cannot be read ends as `failed`, and the next one is read.
        """
        now = self._client.clock.now().replace(microsecond=0)
        reading = Reading(campaign_id, Pass.UNSEEN, Window(now, now))
        answers = self._singles(reading, ids)
        while some := list(islice(answers, _SINGLES)):
            found = [answer for _, answer in some if isinstance(answer, Answer)]
            errors = [(id_, error) for id_, error in some if isinstance(error, ReadingError)]
            gone = tuple(id_ for id_, answer in some if answer is None)
            records = [self._reader.read(b"[" + answer.value + b"]", answer.read_at) for answer in found]
            table = pa.concat_tables([r.table for r in records], promote_options="default") if records else None
            rejected = tuple(rejected for r in records for rejected in r.rejected)
            misfits = tuple(misfit for r in records for misfit in r.misfits)
            empty = self._reader.read(b"[]", now).table
            arrived = min((answer.arrived for answer in found), default=0.0)
            singles = Records(empty if table is None else table.combine_chunks(), rejected, misfits)
            yield Batch(reading, singles, now, arrived, gone)
            requests = sum(answer.requests for answer in found) + len(gone)
            seconds = sum(answer.seconds for answer in found)
            yield WindowDone(reading, "one by one", len(some), len(found), len(some), requests, seconds)
            for id_, error in errors:
                yield WindowDone(reading, FAILED, reason=f"action {id_}: {error}")

    def _singles(self, reading: Reading, ids: Sequence[str]) -> Iterator[tuple[str, Single]]:
        """What the API says of each id, in order, until so many in a row failed that the rest is not asked for."""
        coming, waiting = iter(ids), deque[tuple[str, Future[Single]]]()
        while True:
            if not self.unread.gave_up(reading, one_by_one=True):
                more = islice(coming, _IN_FLIGHT * 2 - len(waiting))
                waiting.extend((id_, self._pool.submit(self._single, id_)) for id_ in more)
            if not waiting:
                break
            id_, future = waiting.popleft()
            answer = self._pool.result(future)
            if isinstance(answer, ReadingError):
                self.unread.fail(Failure(reading, answer, id_))
            else:
                self.unread.succeed(reading, one_by_one=True)
            yield id_, answer
        self.unread.actions_left_out[reading.campaign_id] += sum(1 for _ in coming)

    def _window(self, window: Listed[Reading, _Fetched], tries: int = 1) -> _Reads:
        reading = window.wanted
        try:
            fetched = window.first()
        except WindowTooFull as error:
            yield WindowDone(reading, "too full", error.total, requests=1)
            return (yield from self._narrow(reading, error.total, self._size(reading) * PAGES_MAX))
        total, pages, seen = fetched.page.total, fetched.page.pages, [fetched.batch.ids]
        yield fetched.batch
        done = _count(WindowDone(reading, "whole", total, 0, pages), fetched)
        for fetched in window.following(pages):
            seen.append(fetched.batch.ids)
            yield fetched.batch
            done = _count(done, fetched)
        if _distinct(seen) == total == fetched.page.total:
            yield done
            return seen
        yield replace(done, outcome="moved")
        if pages > 1:
            return (yield from self._narrow(reading, total, self._size(reading), moved=True))
        if tries < _TRIES:
            return (yield from self._window(next(self._ahead([reading])), tries + 1))
        msg = f"{reading}: the API says {total} actions and sends {done.rows} on its only page; nothing was skipped"
        raise WindowNotWhole(msg)

    def _narrow(self, reading: Reading, total: int | None, fit: int, *, moved: bool = False) -> _Reads:
        """Read a window in parts of at most `fit` rows: cut by its date, on larger pages, by EventDate, by State."""
        why = "its rows moved between its pages" if moved else f"it holds {total or 'too many'} actions"
        _log.info("%s is parted: %s", reading, why)
        if windows := parting.parts(reading.window, fit, total, self._counts(reading, reading.pass_.axis)):
            return (yield from self._all(reading.part(w, last=w is windows[-1]) for w in windows))
        whole = None if moved else total
        if reading.event and (windows := parting.parts(reading.event, fit, total, self._counts(reading, Axis.EVENT))):
            ids = yield from self._all(replace(reading, event=window, marks=()) for window in windows)
            return (yield from self._parted(reading, ids, whole))
        if not moved and (larger := self._on_larger_pages(reading, total)):
            return (yield from self._window(larger))
        if reading.event is None and reading.pass_.axis is not Axis.EVENT:
            ids = yield from self._by_event(reading, whole, fit)
            return (yield from self._parted(reading, ids, whole))
        if reading.state is None and whole is not None:
            ids = yield from self._all(replace(reading, state=state, marks=()) for state in STATES)
            return (yield from self._parted(reading, ids, whole))
        msg = (
            f"{reading}: {why}, and there is no further way to cut it; nothing was skipped and the cursor stays. "
            "A larger page_size may help"
        )
        raise WindowNotWhole(msg)

    def _all(self, readings: Iterable[Reading]) -> _Reads:
        ids: list[pa.Array] = []
        for window in self._ahead(readings):
            ids += yield from self._window(window)
        return ids

    def _parted(self, reading: Reading, ids: list[pa.Array], total: int | None) -> _Reads:
        """The end of a window that was read in parts other than of its own date: whole if they add up."""
        found = _distinct(ids)
        if total is not None and found != total:
            msg = f"{reading}: its parts hold {found} actions, the API says {total}; the cursor stays, run again"
            raise WindowNotWhole(msg)
        yield WindowDone(reading, "parted", total, found)
        return ids

    def _on_larger_pages(self, reading: Reading, total: int | None) -> Listed[Reading, _Fetched] | None:
        """The window on pages so large that it fits, where the API takes them; None where it does not."""
        known = sum(count for _, count in self._counts(reading, reading.pass_.axis))
        wanted = -(-(total or int(known * 1.1)) // PAGES_MAX)
        size = max(wanted, self._size(reading) + 1) if total else max(wanted, self._size(reading) * 2)
        size = -(-size // 1_000) * 1_000
        if not self._pages_may_grow or size > PAGE_SIZE_MAX:
            return None
        larger = next(self._ahead([replace(reading, page_size=size)]))
        try:
            larger.first()
        except WindowTooFull:
            pass
        except RequestRefused as error:
            if not any(field.lower() == "pagesize" for field in error.fields):
                raise
            self._pages_may_grow = False
            return None
        return larger

    def _by_event(self, reading: Reading, total: int | None, fit: int) -> _Reads:
        """Read an instant in windows of the EventDate: where rows are known to be first, then everywhere else.

        Where the total is known, stops as soon as the parts add up to it.
        """
        horizon = self.horizon or reading.window
        known = [(at, count) for at, count in self._counts(reading, Axis.EVENT) if horizon.start <= at <= horizon.end]
        inner = Window(known[0][0], known[-1][0]) if known else Window(horizon.end, horizon.end)
        likely = [part for window in parting.parts(inner, fit, total, known) or [inner] for part in cut(*window.ends)]
        # Actions lock after they happen: the nearest windows are the likeliest.
        rest = [*cut(horizon.start, inner.start)[::-1], *cut(inner.end, horizon.end)]
        ids = yield from self._all(replace(reading, event=window, marks=()) for window in likely)
        for window in rest:
            if total is not None and _distinct(ids) == total:
                break
            ids += yield from self._all([replace(reading, event=window, marks=())])
        return ids

    def _counts(self, reading: Reading, axis: Axis) -> Counts:
        return self._known.counts(reading.campaign_id, axis, reading.windows)

    def _size(self, reading: Reading) -> int:
        return reading.page_size or self._page_size

    def _first(self, reading: Reading) -> _Fetched:
        size = self._size(reading)
        return self._parse(reading, self._client.actions(reading.campaign_id, reading.windows, size, reading.state))

    def _following(self, reading: Reading, first: _Fetched, number: int) -> _Fetched:
        return self._parse(reading, self._client.actions_page(first.page, number))

    def _single(self, action_id: str) -> Single:
        try:
            return self._client.action(action_id)
        except NotFound:
            return None
        except ReadingError as error:
            return error

    def _skip(self, reading: Reading) -> bool:
        """Whether a window is not worth asking for, since so many of its pass could not be read."""
        skip = self.unread.gave_up(reading)
        if skip:
            self.unread.left_out.append(reading)
        return skip

    def _parse(self, reading: Reading, answer: Answer[Page]) -> _Fetched:
        page = answer.value
        with self._parsing:
            records = self._reader.read(page.records, answer.read_at)
        return _Fetched(
            replace(page, records=memoryview(b"")),
            Batch(reading, records, answer.read_at, answer.arrived),
            answer.requests,
            answer.seconds,
        )

    def _ahead(
        self, readings: Iterable[Reading], skipped: Callable[[Reading], bool] = lambda _: False
    ) -> Iterator[Listed[Reading, _Fetched]]:
        ahead = Ahead(self._pool, self._most_ahead, _IN_FLIGHT, self._first, _length, self._following, skipped)
        return ahead.lists(readings)


def _length(first: _Fetched) -> int:
    return first.page.pages


def _distinct(ids: list[pa.Array]) -> int:
    return int(pc.count_distinct(pa.concat_arrays(ids)).as_py()) if ids else 0


def _count(done: WindowDone, fetched: _Fetched) -> WindowDone:
    records = fetched.batch.records
    return replace(
        done,
        rows=done.rows + len(records.table) + len(records.rejected),
        requests=done.requests + fetched.requests,
        seconds=done.seconds + fetched.seconds,
    )

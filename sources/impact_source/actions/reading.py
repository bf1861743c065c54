"""Windows become batches of typed rows: fetched ahead in threads, checked to be whole, cut where they are not."""

from __future__ import annotations

import logging
import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import chain, islice
from threading import BoundedSemaphore
from typing import Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ..api.client import ATTEMPTS, Answer, Client
from ..api.protocol import Page
from ..errors import NotFound, ReadingError, RequestRefused, TooSlow, Unavailable, WindowNotWhole, WindowTooFull
from ..plan import narrowing
from ..plan.axis import Axis
from ..plan.narrowing import Case, Cuts, Known, Way, Why
from ..plan.passes import Pass, Reading
from ..plan.windows import Counts, Window
from ..rows.columns import ACTION
from ..rows.parse import Reader, Records
from ..settings import PAGE_SIZE_MAX, PAGE_SIZE_MIN, PAGES_MAX
from ..waiting import Pool
from .prefetch import Ahead, Listed
from .unread import Failure, Unread

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
_NAMED = 3
"""Actions that a message names."""
_FEW = 2
"""Attempts at a request that narrows a window, each of which counts."""
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


class Counting(Protocol):
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
_Tries = Generator[Batch | WindowDone, None, tuple[list[pa.Array], Case | None]]
"""The same, and why not all of the window could be received."""
_Parts: TypeAlias = tuple[list[pa.Array], list[Case]]
"""The ids of parts that were received, and the parts that could not be."""


class WindowReader:
    """Reads windows in order, the next ones fetched and parsed meanwhile. Close it, or its threads linger.

    `horizon` holds every EventDate that an action can have.
    """

    def __init__(self, client: Client, page_size: int, known: Counting) -> None:
        self.horizon: Window | None = None
        self.unread = Unread()
        """What could not be read."""
        self._client = client
        self._page_size = page_size
        self._known = known
        self._reader = Reader(ACTION)
        self._pages_may_grow = page_size < PAGE_SIZE_MAX
        self._most_a_page = max(PAGE_SIZE_MAX, page_size)
        self._silent = False
        """Whether the API answered neither a window nor a small question since it last answered anything."""
        self._of_many: set[str] = set()
        """Sentences, without numbers, by which the API refuses too many rows."""
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

    def _window(self, window: Listed[Reading, _Fetched]) -> _Reads:
        """One window as it is, or where it cannot be read like that, narrowed. Raises `ReadingError`."""
        ids, case = yield from self._try(window)
        if case is None:
            return ids
        return (yield from self._narrow(case, _Spent(case)))

    def _try(self, window: Listed[Reading, _Fetched], tries: int = 1) -> _Tries:
        """The ids of a window; and where it could not be read completely, why."""
        reading = window.wanted
        try:
            fetched = window.first()
        except RequestRefused as error:
            case, requests = self._too_many(reading, error), error.requests
            yield WindowDone(reading, case.why.value, case.total, requests=requests)
            return [], case
        except TooSlow as error:
            yield WindowDone(reading, Why.TOO_SLOW.value, requests=error.requests)
            return [], self._too_slow(reading, error)
        total, pages, seen = fetched.page.total, fetched.page.pages, [fetched.batch.ids]
        yield fetched.batch
        done = _count(WindowDone(reading, "whole", total, 0, pages), fetched)
        try:
            for fetched in window.following(pages):
                seen.append(fetched.batch.ids)
                yield fetched.batch
                done = _count(done, fetched)
        except TooSlow as error:
            window.drop()
            yield replace(done, outcome=Why.TOO_SLOW.value, requests=done.requests + error.requests)
            return seen, self._too_slow(reading, error)
        if _distinct(seen) == total == fetched.page.total:
            yield done
            return seen, None
        yield replace(done, outcome=Why.MOVED.value)
        if pages > 1:
            return seen, Case(reading, Why.MOVED, "", self._size(reading), total)
        if tries < _TRIES:
            return (yield from self._try(next(self._ahead([reading])), tries + 1))
        msg = f"{reading}: the API says {total} actions and sends {_sent(seen)}; nothing was skipped"
        raise WindowNotWhole(msg)

    def _narrow(self, case: Case, spent: _Spent) -> _Reads:
        """A window by parts that together hold all of it; a part that cannot be read either is narrowed further."""
        _log.info("%s, so it is narrowed", case)
        while cuts := narrowing.cut(case, self._known_of(case)):
            if cuts.way is Way.LARGER:
                ids, larger = yield from self._on_larger_pages(case, cuts, spent)
                if larger is None:
                    return ids
                case = larger
                continue
            ids, cases = yield from self._parts(case, cuts, spent)
            for number, part in enumerate(cases):
                others = _distinct(ids) + sum(other.least for other in cases[number + 1 :])
                ids += yield from self._narrow(narrowing.child(case, cuts.way, part, others), spent)
            if narrowing.adds_up(case, cuts.way, _distinct(ids)):
                yield WindowDone(case.reading, "parted", case.total, _distinct(ids))
                return ids
            again, now = yield from self._counted(self._try(next(self._ahead([case.reading]))), spent)
            if now is None:  # it became smaller in the meantime
                return again
            if narrowing.adds_up(case, cuts.way, _distinct(ids), now):
                yield WindowDone(case.reading, "parted", now.total, _distinct(ids))
                return ids
            _log.warning("%s: parts by %s hold %d of at least %d", case, cuts.way.name, _distinct(ids), now.least)
            case = replace(case, total=now.total, shut=case.shut | {cuts.way})
        raise _unreadable(case)

    def _parts(self, case: Case, cuts: Cuts, spent: _Spent) -> Generator[Batch | WindowDone, None, _Parts]:
        """The parts of a window: the ids of those that can be read, and the others.

        Where the total is known, stops as soon as they hold it.
        """
        ids: list[pa.Array] = []
        cases: list[Case] = []
        # By EventDate one after the other: each part may be narrowed in turn, or be the last that is needed.
        batches = [[reading] for reading in cuts.readings] if cuts.way is Way.EVENT else [list(cuts.readings)]
        for window in chain.from_iterable(self._ahead(batch, narrow=True) for batch in batches):
            found, part = yield from self._counted(self._try(window), spent)
            ids += found
            if part is not None and cuts.way is Way.EVENT:
                # At once: where the rows are is tried first, and they tell how many requests may be sent.
                ids += yield from self._narrow(narrowing.child(case, cuts.way, part, _distinct(ids)), spent)
            elif part is not None:
                cases.append(part)
            if cuts.way is not Way.TIME and not cases and case.total is not None and _distinct(ids) == case.total:
                break
        return ids, cases

    def _counted(self, reads: _Tries, spent: _Spent) -> _Tries:
        """What is read within the requests that narrowing may take. Raises `WindowNotWhole` where there is no more."""
        spent.check()
        try:
            while True:
                event = next(reads)
                spent.count(event)
                yield event
        except StopIteration as end:
            ids: list[pa.Array]
            ids, case = end.value
            return ids, case

    def _on_larger_pages(self, case: Case, cuts: Cuts, spent: _Spent) -> _Tries:
        """The window on larger pages, where the API takes them; else what to do instead."""
        try:
            ids, part = yield from self._counted(self._try(next(self._ahead(cuts.readings, narrow=True))), spent)
        except RequestRefused as error:
            _log.info("the API takes no larger pages: %s", error)
            self._pages_may_grow = False
            spent.requests += error.requests
            return [], case
        if part is None:
            return ids, None
        if part.why is not Why.TOO_MANY:  # larger pages are slower, and hold more that can move
            return [], replace(case, shut=case.shut | {Way.LARGER})
        return [], narrowing.child(case, Way.LARGER, part, 0)

    def _too_many(self, reading: Reading, error: RequestRefused) -> Case:
        """A refusal as the number of rows that it is about. Raises it where it is about anything else.

        Whether it is, a question tells that is the same but for holding next to nothing (`narrowing.probes`). It is
        asked once for each sentence of the API, its numbers left out.
        """
        total = error.total if isinstance(error, WindowTooFull) else None
        sentence = re.sub(r"\d+", "", error.said)
        if not (total and total > self._size(reading) * PAGES_MAX) and sentence not in self._of_many:
            if not isinstance(error, WindowTooFull) and error.fields:
                raise error  # it names what could not make the rows fewer
            try:
                error.requests += self._ask_little(reading, Why.TOO_MANY, reading.page_size or self._page_size)
            except RequestRefused:
                error.requests += 2
                raise error from None
            self._of_many.add(sentence)
        size = self._size(reading)
        plausible = total if total and total > size * PAGES_MAX else None
        return Case(reading, Why.TOO_MANY, str(error), size, plausible)

    def _too_slow(self, reading: Reading, error: TooSlow) -> Case:
        """A time-out as a window that is too large. Raises it where the API does not answer a small question either."""
        if not self._silent:  # where it did not answer the last time, it is down until it answers anything
            try:
                self._ask_little(reading, Why.TOO_SLOW, PAGE_SIZE_MIN)
            except ReadingError:
                self._silent = True
        if self._silent:
            raise Unavailable(str(error)) from None
        return Case(reading, Why.TOO_SLOW, str(error), self._size(reading))

    def _ask_little(self, reading: Reading, why: Why, size: int) -> int:
        """Ask what holds next to nothing; the requests that it takes. Raises where none of it is answered."""
        first, *others = narrowing.probes(reading, self.horizon or reading.window, why)
        try:
            answer = self._client.actions(reading.campaign_id, first, size, reading.state, attempts=_FEW)
        except RequestRefused:
            if not others:
                raise
            answer = self._client.actions(reading.campaign_id, others[0], size, reading.state, attempts=_FEW)
        self._learn_size(answer.value, size)
        return answer.requests

    def _known_of(self, case: Case) -> Known:
        def counts(reading: Reading, axis: Axis) -> Counts:
            return self._known.counts(reading.campaign_id, axis, reading.windows)

        return Known(counts, self.horizon or case.reading.window, self._pages_may_grow)

    def _size(self, reading: Reading) -> int:
        """Rows a page: as many as are asked for, or the fewer that the API sends."""
        return min(reading.page_size or self._page_size, self._most_a_page)

    def _learn_size(self, page: Page, asked: int) -> None:
        self._silent = False
        if page.size and page.size < asked:
            self._most_a_page = min(self._most_a_page, page.size)
            self._pages_may_grow = False

    def _first(self, reading: Reading, attempts: int) -> _Fetched:
        size = reading.page_size or self._page_size
        answer = self._client.actions(reading.campaign_id, reading.windows, size, reading.state, attempts=attempts)
        self._learn_size(answer.value, size)
        return self._parse(reading, answer)

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
        self,
        readings: Iterable[Reading],
        skipped: Callable[[Reading], bool] = lambda _: False,
        *,
        narrow: bool = False,
    ) -> Iterator[Listed[Reading, _Fetched]]:
        """Lists of pages, fetched ahead. What narrows a window is tried a few times only, and not far ahead."""
        first = partial(self._first, attempts=_FEW if narrow else ATTEMPTS)
        most = _IN_FLIGHT if narrow else self._most_ahead
        ahead = Ahead(self._pool, most, _IN_FLIGHT, first, _length, self._following, skipped)
        return ahead.lists(readings)


def _length(first: _Fetched) -> int:
    return first.page.pages


def _distinct(ids: list[pa.Array]) -> int:
    return int(pc.count_distinct(pa.concat_arrays(ids)).as_py()) if ids else 0


def _sent(ids: list[pa.Array]) -> str:
    """How many rows came, and which of them more than once."""
    counts = pc.value_counts(pa.concat_arrays(ids)).to_pylist()
    rows = sum(one["counts"] for one in counts)
    twice = sorted(one["values"] for one in counts if one["counts"] > 1)
    if not twice:
        return f"{rows}"
    more = f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else ""
    return f"{rows}, more than once {', '.join(twice[:_NAMED])}{more}"


def _unreadable(case: Case) -> WindowNotWhole:
    said = f" The API says: {case.said}" if case.said else ""
    return WindowNotWhole(
        f"{case}, and narrowing it does not help; nothing was skipped and the cursor stays.{said} "
        "A larger page_size may help"
    )


class _Spent:
    """The requests that narrowing one window takes, and the rows that it brings."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.requests = 2  # the window itself, and the question whether it was too much
        self._ids: list[pa.Array] = []

    def count(self, event: Batch | WindowDone) -> None:
        """Count what was read."""
        if isinstance(event, Batch):
            self._ids.append(event.ids)
        else:
            self.requests += event.requests

    def check(self) -> None:
        """Raise `WindowNotWhole` where the requests that may be sent are spent, those in flight included."""
        case, sent = self._case, self.requests + _IN_FLIGHT
        if sent > narrowing.allowed(case.least, case.size):
            self._ids = [pc.unique(pa.concat_arrays(self._ids))] if self._ids else []
            if sent > narrowing.allowed(max(case.least, *map(len, self._ids), 0), case.size):
                raise _unreadable(case)


def _count(done: WindowDone, fetched: _Fetched) -> WindowDone:
    records = fetched.batch.records
    return replace(
        done,
        rows=done.rows + len(records.table) + len(records.rejected),
        requests=done.requests + fetched.requests,
        seconds=done.seconds + fetched.seconds,
    )

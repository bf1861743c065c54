"""Windows become batches of typed rows: fetched ahead in threads, checked to be whole, halved where they are not."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from sources.impact.client import Answer, Client
from sources.impact.columns import ACTION
from sources.impact.errors import WindowNotWhole, WindowTooFull
from sources.impact.passes import Reading
from sources.impact.protocol import Page
from sources.impact.tables import Reader, Records

_AHEAD = 4
"""Requests in flight: enough to hide the network behind the parsing, few enough to keep memory flat."""
_log = logging.getLogger(__name__)
T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True)
class Batch:
    """The rows of one page."""

    reading: Reading
    records: Records
    read_at: datetime
    number: int
    pages: int


@dataclass(frozen=True)
class WindowDone:
    """One window was read, or refused: what `sync_windows` says of it. `whole` if every row of it was received."""

    reading: Reading
    outcome: str
    total: int | None = None
    rows: int = 0
    pages: int = 0
    requests: int = 0
    seconds: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether the window was received completely."""
        return self.outcome == "whole"


@dataclass(frozen=True)
class _Fetched:
    page: Page
    batch: Batch
    requests: int
    seconds: float

    @property
    def ids(self) -> pa.Array:
        """Ids of the page's records, readable or not; one without an id counts by its raw JSON."""
        rejected = [record.id or record.raw for record in self.batch.records.rejected]
        return pa.concat_arrays([*self.batch.records.table["id"].chunks, pa.array(rejected, pa.string())])


class WindowReader:
    """Reads windows in order, the next ones fetched and parsed meanwhile. Close it, or its threads linger."""

    def __init__(self, client: Client, page_size: int) -> None:
        self._client = client
        self._page_size = page_size
        self._reader = Reader(ACTION)
        self._pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="impact-read")

    def close(self) -> None:
        """Abandon what is not fetched yet and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def read(self, readings: Iterable[Reading]) -> Iterator[Batch | WindowDone]:
        """Batches of each window in order, each window (or the parts it had to be cut into) ended by `WindowDone`.

        Raises `WindowNotWhole` for what can be cut no further, and whatever the client raises.
        """
        for reading, first in self._ahead(self._first, readings):
            yield from self._window(reading, first)

    def _window(self, reading: Reading, first: Future[_Fetched]) -> Iterator[Batch | WindowDone]:
        try:
            fetched = first.result()
        except WindowTooFull as error:
            yield WindowDone(reading, "too full", error.total, requests=1)
            yield from self._halves(reading, str(error))
            return
        total, seen = fetched.page.total, [fetched.ids]
        done = WindowDone(reading, "whole", total, 0, fetched.page.pages)
        yield fetched.batch
        done = _count(done, fetched)
        for _, following in self._ahead(partial(self._following, reading, fetched.page), range(2, done.pages + 1)):
            fetched = following.result()
            seen.append(fetched.ids)
            yield fetched.batch
            done = _count(done, fetched)
        if pc.count_distinct(pa.concat_arrays(seen)).as_py() == total == fetched.page.total:
            yield done
            return
        yield replace(done, outcome="moved")
        if done.pages > 1:
            yield from self._halves(reading, "its rows moved between its pages")
            return
        msg = (
            f"campaign {reading.campaign_id}, {reading.pass_} {reading.window}: the API says {total} actions and "
            f"sends {done.rows} on its only page; nothing was skipped, run again"
        )
        raise WindowNotWhole(msg)

    def _halves(self, reading: Reading, why: str) -> Iterator[Batch | WindowDone]:
        try:
            halves = reading.window.halve()
        except ValueError:
            msg = (
                f"campaign {reading.campaign_id}, {reading.pass_} {reading.window}: {why}, and it cannot be cut "
                "any finer; nothing was skipped and the cursor stays. A larger page_size may help"
            )
            raise WindowNotWhole(msg) from None
        _log.info("campaign %s, %s %s is halved: %s", reading.campaign_id, reading.pass_, reading.window, why)
        for half in halves:
            part = reading.part(half, last=half is halves[-1])
            yield from self._window(part, self._pool.submit(self._first, part))

    def _first(self, reading: Reading) -> _Fetched:
        answer = self._client.actions(reading.campaign_id, reading.pass_.axis, reading.window, self._page_size)
        return self._parse(reading, answer)

    def _following(self, reading: Reading, first: Page, number: int) -> _Fetched:
        return self._parse(reading, self._client.actions_page(first, number))

    def _parse(self, reading: Reading, answer: Answer[Page]) -> _Fetched:
        page = answer.value
        records = self._reader.read(page.records, answer.read_at)
        batch = Batch(reading, records, answer.read_at, page.number, page.pages)
        return _Fetched(replace(page, records=b""), batch, answer.requests, answer.seconds)

    def _ahead(self, fetch: Callable[[A], T], wanted: Iterable[A]) -> Iterator[tuple[A, Future[T]]]:
        """Each of `wanted` with its fetch under way, in order, a few of them at a time."""
        flying: deque[tuple[A, Future[T]]] = deque()
        for one in wanted:
            flying.append((one, self._pool.submit(fetch, one)))
            if len(flying) >= _AHEAD:
                yield flying.popleft()
        yield from flying


def _count(done: WindowDone, fetched: _Fetched) -> WindowDone:
    records = fetched.batch.records
    return replace(
        done,
        rows=done.rows + len(records.table) + len(records.rejected),
        requests=done.requests + fetched.requests,
        seconds=done.seconds + fetched.seconds,
    )

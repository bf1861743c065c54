"""Pages of actions: threads fetch them ahead of need and parse them into typed rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from ..api.answers import Page
from ..api.client import Client
from ..api.lists import ACTIONS, UPDATES
from ..api.wire import Answer
from ..errors import NotFound, ReadingError
from ..plan.axis import Axis
from ..plan.passes import Pass, Reading
from ..plan.windows import Window
from ..rows.columns import ACTION, UPDATE
from ..rows.parse import Reader, Records
from ..settings import PAGE_SIZE_MAX
from ..waiting import Pool
from .events import Batch
from .prefetch import PageList, Prefetcher

IN_FLIGHT = 4
"""Requests: enough to hide the network behind the parsing, few enough to keep memory flat."""
_ROWS_AHEAD = 100_000
"""Rows read ahead while a package loads: this bounds memory."""
_AHEAD_MAX = 16
_FEW = 2
"""Attempts at a request that narrows a window; each of them counts."""
_Parsed: TypeAlias = tuple[Page, Records]
"""A page without its bytes, and the rows in it."""
Single: TypeAlias = Answer[bytes] | ReadingError | None
"""What the API says of one id: the action, None if it knows no such action, or why it could not be requested."""


@dataclass(frozen=True)
class Fetched:
    """A page without its bytes: the rows in it, and what it took."""

    page: Page
    batch: Batch
    requests: int
    seconds: float


class Fetcher:
    """Fetches pages of windows in order and reads ahead. Close it, or its threads linger."""

    def __init__(self, client: Client, page_size: int) -> None:
        self.parser, self._update_parser = Reader(ACTION), Reader(UPDATE)
        self.pages_may_grow = page_size < PAGE_SIZE_MAX
        self.is_silent = False
        """Whether the API has answered neither a window nor a small query since its last answer."""
        self._client, self._page_size = client, page_size
        self._most_a_page = max(PAGE_SIZE_MAX, page_size)
        self._largest = 0
        """Rows on the largest page so far."""
        self._pool = Pool(IN_FLIGHT, "impact-read", "a page of actions", client.longest)

    def close(self) -> None:
        """Abandon what is not fetched yet and end the threads; the client then sends no more requests."""
        self._client.stop()
        self._pool.end()

    def fetch(
        self,
        readings: Iterable[Reading],
        skipped: Callable[[Reading], bool] = lambda _: False,
        *,
        narrow: bool = False,
    ) -> Iterator[PageList[Reading, Fetched]]:
        """The pages of each window. With `narrow`, tries a request only a few times and reads less far ahead."""
        first = partial(self._fetch_first, attempts=_FEW if narrow else None)
        most = (lambda: IN_FLIGHT) if narrow else self._most_ahead
        ahead = Prefetcher(self._pool, most, IN_FLIGHT, first, _length, self._fetch_following, skipped)
        return ahead.lists(readings)

    def fetch_one(self, reading: Reading) -> PageList[Reading, Fetched]:
        """The pages of one window."""
        return next(self.fetch([reading]))

    def ask(
        self, reading: Reading, windows: Mapping[Axis, Window], size: int, attempts: int | None = _FEW
    ) -> Answer[Page]:
        """The first page of a reading within these windows; shows how many rows the API puts on a page."""
        answer = self._client.dated(_key(reading), reading.campaign_id, windows, size, reading.state, attempts=attempts)
        self._learn(answer.value, size)
        return answer

    def _learn(self, page: Page, size: int) -> None:
        """Note that the API answers, and how many rows it puts on a page where `size` were requested."""
        self.is_silent = False
        if page.size and page.size < size:
            self._most_a_page = min(self._most_a_page, page.size)
            self.pages_may_grow = False

    def submit_single(self, action_id: str) -> Future[Single]:
        """Request one action by its id; `wait` returns the answer."""
        return self._pool.submit(self._fetch_single, action_id)

    def wait(self, future: Future[Single]) -> Single:
        """What the API says of the action."""
        return self._pool.result(future)

    def asked_size(self, reading: Reading) -> int:
        """The page size that is requested."""
        return reading.page_size or self._page_size

    def page_size(self, reading: Reading) -> int:
        """Rows on a page: as many as requested, or fewer if the API sends fewer."""
        return min(self.asked_size(reading), self._most_a_page)

    def _most_ahead(self) -> int:
        """Pages that may be in flight or wait: by what is on them, which often is less than requested."""
        return max(IN_FLIGHT, min(_AHEAD_MAX, _ROWS_AHEAD // (self._largest or self._page_size)))

    def _fetch_first(self, reading: Reading, attempts: int | None) -> Fetched:
        key, size = _key(reading), self.asked_size(reading)
        answer = self._client.first_rows(
            key, reading.campaign_id, reading.windows, size, reading.state, partial(self._parse, key), attempts=attempts
        )
        self._learn(answer.value[0], size)
        return _fetched(reading, answer)

    def _fetch_following(self, reading: Reading, first: Fetched, number: int) -> Fetched:
        key = _key(reading)
        return _fetched(reading, self._client.numbered_rows(key, first.page, number, partial(self._parse, key)))

    def _fetch_single(self, action_id: str) -> Single:
        try:
            return self._client.action(action_id)
        except NotFound:
            return None
        except ReadingError as error:
            return error

    def _parse(self, key: str, page: Page, read_at: datetime) -> _Parsed:
        parser = self._update_parser if key == UPDATES else self.parser
        records = parser.read(page.records, read_at)
        self._largest = max(self._largest, len(records.table))
        return replace(page, records=memoryview(b"")), records


def _fetched(reading: Reading, answer: Answer[_Parsed]) -> Fetched:
    page, records = answer.value
    return Fetched(page, Batch(reading, records, answer.read_at, answer.arrived), answer.requests, answer.seconds)


def _length(first: Fetched) -> int:
    return first.page.pages


def _key(reading: Reading) -> str:
    return UPDATES if reading.pass_ is Pass.FEED else ACTIONS

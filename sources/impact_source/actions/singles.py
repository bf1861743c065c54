"""Requests actions by their ids, one request each, several in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from itertools import islice

import pyarrow as pa

from ..api.wire import Answer
from ..errors import ReadingError
from ..plan.passes import Reading
from ..rows.parse import Records
from .events import Batch, Events, Outcome, WindowDone
from .fetching import IN_FLIGHT, Fetcher, Single
from .unread import Failure, Unread

_A_BATCH = 200
"""Actions in a batch."""


class SingleReader:
    """Reads actions by their ids; gives up on the rest after so many failures in a row."""

    def __init__(self, fetcher: Fetcher, unread: Unread) -> None:
        self._fetcher, self._unread = fetcher, unread

    def read(self, reading: Reading, ids: Sequence[str], now: datetime) -> Events:
        """Batches of these actions. Ids that the API does not know are in `gone`; failures end as `failed`."""
        answers = self._answers(reading, ids)
        while some := list(islice(answers, _A_BATCH)):
            found = [answer for _, answer in some if isinstance(answer, Answer)]
            gone = tuple(id_ for id_, answer in some if answer is None)
            arrived = min((answer.arrived for answer in found), default=0.0)
            yield Batch(reading, self._parse(found, now), now, arrived, gone)
            requests = sum(answer.requests for answer in found) + len(gone)
            seconds = sum(answer.seconds for answer in found)
            yield WindowDone(reading, Outcome.ONE_BY_ONE, len(some), len(found), len(some), requests, seconds)
            for id_, answer in some:
                if isinstance(answer, ReadingError):
                    yield WindowDone(reading, Outcome.FAILED, reason=f"action {id_}: {answer}")

    def _answers(self, reading: Reading, ids: Sequence[str]) -> Iterator[tuple[str, Single]]:
        """What the API says of each id, in order."""
        coming, waiting = iter(ids), deque[tuple[str, Future[Single]]]()
        while True:
            if not self._unread.gave_up(reading, one_by_one=True):
                more = islice(coming, IN_FLIGHT * 2 - len(waiting))
                waiting.extend((id_, self._fetcher.submit_single(id_)) for id_ in more)
            if not waiting:
                break
            id_, future = waiting.popleft()
            answer = self._fetcher.wait(future)
            if isinstance(answer, ReadingError):
                self._unread.fail(Failure(reading, answer, id_))
            else:
                self._unread.succeed(reading, one_by_one=True)
            yield id_, answer
        self._unread.actions_left_out[reading.campaign_id] += sum(1 for _ in coming)

    def _parse(self, found: Sequence[Answer[bytes]], now: datetime) -> Records:
        parser = self._fetcher.parser
        records = [parser.read(b"[" + answer.value + b"]", answer.read_at) for answer in found]
        records = records or [parser.read(b"[]", now)]
        return Records(
            pa.concat_tables([r.table for r in records], promote_options="default").combine_chunks(),
            tuple(rejected for r in records for rejected in r.rejected),
            tuple(misfit for r in records for misfit in r.misfits),
        )

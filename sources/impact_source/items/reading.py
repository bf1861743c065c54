"""Requests the items of queued actions, several in flight, until the queue or the budget ends."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future

from ..api.answers import Page, count_records
from ..api.client import Client
from ..api.wire import Answer
from ..errors import BudgetSpent, ImpactError, InvalidAnswer, NotFound, RequestRefused, TransientError, WindowTooFull
from ..waiting import Pool
from .queue import Listing, Queued, Status
from .spool import Spool

_TRIES = 3
"""How often a list that contradicts its own total is read."""
_AHEAD = 16
"""Requests waiting behind each one in flight, so that no connection idles while a package lands."""
_log = logging.getLogger(__name__)


class ItemReader:
    """Requests items. Close it, or its threads linger.

    After reading, `stopped` is None or the error that ended it before the end of the queue.
    """

    def __init__(self, client: Client, spool: Spool | None = None) -> None:
        self.stopped: ImpactError | None = None
        self._client, self._spool = client, spool
        self._flight = client.settings.item_concurrency
        self._pool = Pool(self._flight, "impact-items", "the items of an action", client.longest)

    def close(self) -> None:
        """Abandon pending requests and end the threads; the client then sends no more requests."""
        self._client.stop()
        self._pool.end()

    def read(self, queue: Iterable[Queued]) -> Iterator[Listing]:
        """What the API says of each action, in order.

        One action without a valid answer does not stop it; as many in a row as are in flight do.
        """
        waiting: deque[tuple[Queued, Future[Listing]]] = deque()
        coming = iter(queue)
        failures = 0
        while True:
            while self.stopped is None and self._room(waiting):
                queued = next(coming, None)
                if queued is None:
                    break
                waiting.append((queued, self._pool.submit(self._list, queued)))
            if not waiting:
                return
            queued, future = waiting.popleft()
            if future.cancelled():
                continue
            try:
                listing = self._pool.result(future)
            except (TransientError, RequestRefused, WindowTooFull) as error:
                failures += 1
                _log.warning("items of action %s: %s", queued.action_id, error)
                if failures >= self._flight:
                    self._stop(error, waiting)
                yield Listing(queued, Status.FAILED, self._client.clock.now(), reason=str(error))
            except ImpactError as error:
                self._stop(error, waiting)
            else:
                failures = 0
                yield listing

    def _room(self, waiting: Collection[tuple[Queued, Future[Listing]]]) -> bool:
        """Whether one more may be requested.

        Never more than there are requests left: of those in flight, the least valuable could take the last one.
        """
        if len(waiting) >= self._flight * _AHEAD:
            return False
        unsent = sum(not future.done() for _, future in waiting)
        return unsent < max(1, self._client.budget.allowed)

    def _stop(self, error: ImpactError, waiting: Iterable[tuple[Queued, Future[Listing]]]) -> None:
        """Request nothing more; answers to requests in flight are still received."""
        if self.stopped is None or isinstance(self.stopped, BudgetSpent):
            self.stopped = error
        for _, future in waiting:
            future.cancel()

    def _list(self, queued: Queued) -> Listing:
        if self._spool and (kept := self._spool.get(queued)):
            return kept
        try:
            listing = self._ask(queued)
        except NotFound:
            listing = Listing(queued, Status.NOT_FOUND, self._client.clock.now())
        if self._spool:
            self._spool.put(listing)
        return listing

    def _ask(self, queued: Queued) -> Listing:
        """All pages of an action's items, with as many items as the API says there are."""
        for _ in range(_TRIES):
            answers = list(self._client.items(queued.action_id))
            if _is_complete(answers):
                return Listing(
                    queued, Status.LISTED, answers[-1].read_at, tuple(bytes(a.value.records) for a in answers)
                )
        msg = f"the API does not send as many items of action {queued.action_id} as it reports"
        raise InvalidAnswer(msg)


def _is_complete(answers: list[Answer[Page]]) -> bool:
    count = sum(count_records(answer.value) for answer in answers)
    first, last = answers[0].value.total, answers[-1].value.total
    return first == last and (first is None or first == count)

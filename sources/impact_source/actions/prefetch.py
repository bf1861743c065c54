"""Fetches pages ahead of need: in threads, in the order they are wanted, up to a limit.

The first page says how many pages a list has, so page 2 of one list competes with page 1 of the next; whichever is
wanted sooner goes first.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from itertools import islice
from typing import Generic, TypeVar

from ..waiting import Pool

_NO_MORE = sys.maxsize
"""The next page of a list whose other pages are not wanted."""
A = TypeVar("A")
T = TypeVar("T")


class PageList(Generic[A, T]):
    """The pages of one list. Taking one waits until it has arrived, and raises what fetching it raised."""

    def __init__(self, ahead: Prefetcher[A, T], wanted: A, head: Future[T]) -> None:
        self.wanted = wanted
        self.head = head
        self.coming: deque[Future[T]] = deque([head])
        self.next = 2
        self._ahead = ahead

    def first(self) -> T:
        """The first page."""
        if self.coming and self.coming[0] is self.head:
            return self._ahead.take(self)
        return self.head.result()

    def drop(self) -> None:
        """Take no more pages of this list; those in flight make room for others."""
        self._ahead.drop(self)

    def following(self, last: int) -> Iterator[T]:
        """Pages 2 to `last`, once each, after the first."""
        for _ in range(2, last + 1):
            yield self._ahead.take(self)

    @property
    def length(self) -> int:
        """Pages, as far as is known: none beyond the first while that is in flight, or if it failed."""
        return self._ahead.length(self.head.result()) if self.head.done() and not self.head.exception() else 1


class Prefetcher(Generic[A, T]):
    """Fetches lists: `first(wanted)`, `length(first page)`, `following(wanted, first page, number)`.

    At most `waiting()` pages are in flight or fetched but not taken; at most `unknown` of them are first pages in
    flight. Only the thread that takes pages draws from `wanted`, never those that fetch. Lists that are `skipped` when
    their turn comes are neither fetched nor listed.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what there is to know
        self,
        pool: Pool,
        waiting: Callable[[], int],
        unknown: int,
        first: Callable[[A], T],
        length: Callable[[T], int],
        following: Callable[[A, T, int], T],
        skipped: Callable[[A], bool] = lambda _: False,
    ) -> None:
        self.length = length
        self._pool, self._waiting, self._unknown = pool, waiting, unknown
        self._first, self._following, self._skipped = first, following, skipped
        self._lock = threading.RLock()
        self._out = 0
        self._wanted: Iterator[A] = iter(())
        self._drawn: deque[A] = deque()
        self._opened: deque[PageList[A, T]] = deque()

    def lists(self, wanted: Iterable[A]) -> Iterator[PageList[A, T]]:
        """Each list of `wanted` in order, once. Take all pages of one before requesting the next."""
        self._wanted = iter(wanted)
        while True:
            self._draw()
            if not self._opened:
                return
            yield self._opened[0]
            with self._lock:
                self._opened.popleft()

    def take(self, listed: PageList[A, T]) -> T:
        """The next page of a list."""
        self._draw()
        with self._lock:
            if not listed.coming:
                self._submit_following(listed)
            page = listed.coming.popleft()
        try:
            return self._pool.result(page)
        finally:
            with self._lock:
                self._out -= 1

    def drop(self, listed: PageList[A, T]) -> None:
        """Give up the pages of a list that were requested and not taken."""
        with self._lock:
            for page in listed.coming:
                page.cancel()
            self._out -= len(listed.coming)
            listed.coming.clear()
            listed.next = _NO_MORE

    def _draw(self) -> None:
        while True:
            drawn = list(islice(self._wanted, max(0, self._waiting() - len(self._drawn))))
            with self._lock:
                self._drawn.extend(drawn)
                self._fill()
                if self._opened or not drawn:  # otherwise all that was drawn is skipped
                    return

    def _arrived(self, page: Future[T]) -> None:
        """Request what follows a first page; called by the thread that fetched it, or when all threads end."""
        if not page.cancelled():
            with self._lock, suppress(RuntimeError, CancelledError):  # the pool accepts no more
                self._fill()

    def _fill(self) -> None:
        """Request what is wanted next, as far as there is room.

        Requests nothing beyond a list that failed: whoever takes it decides whether any more are wanted.
        """
        for listed in self._opened:
            if listed.head.done() and listed.head.exception():
                return
            while self._out < self._waiting() and listed.next <= listed.length:
                self._submit_following(listed)
        while self._drawn and self._may_open():
            wanted = self._drawn.popleft()
            if self._skipped(wanted):
                continue
            listed = PageList(self, wanted, self._submit(self._first, wanted))
            self._opened.append(listed)
            listed.head.add_done_callback(self._arrived)

    def _may_open(self) -> bool:
        unknown = sum(not listed.head.done() for listed in self._opened)
        return not self._opened or (self._out < self._waiting() and unknown < self._unknown)

    def _submit_following(self, listed: PageList[A, T]) -> None:
        listed.coming.append(self._submit(self._following, listed.wanted, listed.head.result(), listed.next))
        listed.next += 1

    def _submit(self, fetch: Callable[..., T], *arguments: object) -> Future[T]:
        page = self._pool.submit(fetch, *arguments)
        self._out += 1
        return page

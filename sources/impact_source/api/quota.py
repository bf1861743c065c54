"""The hour's requests: counted by us, corrected by what the API's answers say. Safe between threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import BudgetSpent
from .protocol import Limits

_HOUR = 3600.0
_MARGIN = 1.0
"""Seconds waited beyond the announced reset: the headers round."""
_IN_FLIGHT = 16
"""No more answers than this can be late: a larger rise of what remains is a new hour."""
_NOTHING = Limits()
_log = logging.getLogger(__name__)


class Budget:
    """Lets a request go when the hour has one left, waits if that takes at most `max_wait` seconds.

    Two counts must agree: our own of the past hour against `per_hour`, and the API's `remaining` until its `reset`.
    Each request that is taken is ended by `hear`.
    """

    def __init__(
        self,
        per_hour: int,
        max_wait: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._per_hour, self._max_wait = per_hour, max_wait
        self._stopped = threading.Event()
        self._clock, self._wait = clock, wait or self._stopped.wait
        self._sent: deque[float] = deque()
        self._remaining: int | None = None
        self._limit: int | None = None
        self._resets_at = 0.0
        self._in_flight = 0
        self._waiting_until = 0.0
        self._spared = 0
        self._last: int | None = None
        self._lock = threading.Lock()
        self.spent = 0
        """Requests sent by this budget since it was made."""

    @property
    def remaining(self) -> int:
        """How many requests may still be sent now."""
        with self._lock:
            return self._left(self._clock())

    @property
    def per_hour(self) -> int:
        """How many requests an hour allows: as configured, or fewer if the API says so."""
        return min(self._per_hour, self._limit or self._per_hour)

    @contextmanager
    def sparing(self, share: float, *, most: int | None = None, wait: bool = True) -> Iterator[None]:
        """Leave a share of the hour to others meanwhile; send `most` requests at the most; `wait` for the hour or not.

        `take` then raises `BudgetSpent` that much earlier.
        """
        before = self._max_wait
        with self._lock:
            self._spared = -int(-self.per_hour * share // 1)
            self._last = None if most is None else self.spent + most
            self._max_wait = before if wait else 0.0
        try:
            yield
        finally:
            with self._lock:
                self._spared, self._last, self._max_wait = 0, None, before

    @property
    def allowed(self) -> int:
        """How many requests `take` would let go now: less than `remaining` where some are spared."""
        with self._lock:
            left = self._left(self._clock()) - self._spared
            return max(0, left if self._last is None else min(left, self._last - self.spent))

    def take(self) -> None:
        """Count one request. Raises `BudgetSpent` where the wait for it would be longer than allowed."""
        while True:
            with self._lock:
                if self._last is not None and self.spent >= self._last:
                    msg = "as many requests were sent as were allowed: run again for the rest"
                    raise BudgetSpent(msg)
                now = self._clock()
                if self._left(now) > self._spared:
                    self._sent.append(now)
                    self.spent += 1
                    self._in_flight += 1
                    if self._remaining is not None:
                        self._remaining -= 1
                    return
                wait = self._seconds_to_wait(now)
            self.pause(wait)

    def pause(self, seconds: float) -> None:
        """Wait for the hour to turn. Raises `BudgetSpent` if that is longer than allowed."""
        if seconds > self._max_wait:
            allowed = f", longer than max_wait allows ({self._max_wait / 60:.0f} min)" if self._max_wait else ""
            msg = f"the hour's requests are spent; more in {seconds / 60:.0f} min{allowed}: run again then"
            raise BudgetSpent(msg)
        until = self._clock() + seconds
        if until - self._waiting_until > _MARGIN:  # others may wait for the same
            self._waiting_until = until
            _log.warning("the hour's requests are spent: waiting %.0f s", seconds)
        self._wait(seconds)
        if self._stopped.is_set():
            msg = "stopped while waiting for the hour to turn"
            raise BudgetSpent(msg)

    def rest(self, seconds: float) -> None:
        """Wait before a request is repeated. Raises `BudgetSpent` once the run is being abandoned."""
        if seconds > 0:
            self._wait(seconds)
        if self._stopped.is_set():
            msg = "stopped before the request was repeated"
            raise BudgetSpent(msg)

    def stop(self) -> None:
        """End all waiting, now and later: the run is being abandoned."""
        self._stopped.set()

    def hear(self, limits: Limits = _NOTHING, *, refused: bool = False) -> None:
        """Take note of what an answer says, nothing if none came; `refused` if it was a 429."""
        with self._lock:
            now = self._clock()
            self._in_flight = max(0, self._in_flight - 1)
            self._limit = limits.limit or self._limit
            remaining = 0 if refused else limits.remaining
            if remaining is None:
                return
            within = self._remaining is not None and now < self._resets_at
            if self._remaining is not None and within and remaining <= self._remaining + _IN_FLIGHT:
                remaining = min(remaining, self._remaining)  # answers of parallel requests arrive in any order
            else:
                within = False  # many more than before: the hour has turned
                remaining -= self._in_flight  # the API may not have counted these yet
            self._remaining = remaining
            if limits.reset is not None or not within:
                self._resets_at = now + (_HOUR if limits.reset is None else limits.reset) + _MARGIN

    def _left(self, now: float) -> int:
        while self._sent and self._sent[0] <= now - _HOUR:
            self._sent.popleft()
        left = self._per_hour - len(self._sent)
        if self._remaining is not None:
            if now >= self._resets_at:
                self._remaining = None
            else:
                left = min(left, self._remaining)
        return left

    def _seconds_to_wait(self, now: float) -> float:
        """How long until both counts have one more than is spared; `_left` told that one of them has not."""
        waits = []
        if self._remaining is not None and self._remaining <= self._spared:
            waits.append(self._resets_at - now)
        # So many of those we sent must be an hour old before one more may go.
        number = self._spared + 1 - (self._per_hour - len(self._sent))
        if number > 0:
            waits.append(self._sent[min(number, len(self._sent)) - 1] + _HOUR - now if self._sent else _HOUR)
        return max(waits)

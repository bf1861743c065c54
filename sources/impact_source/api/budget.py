"""Holds every request to the hourly limit, and waits if that is allowed. Safe between threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import BudgetSpent
from . import quota
from .headers import Limits
from .quota import Quota

_NOTHING = Limits()
_log = logging.getLogger(__name__)


class Budget:
    """Lets a request go if the quota has one left; otherwise waits, if that takes at most `max_wait` seconds."""

    def __init__(
        self,
        per_hour: int,
        max_wait: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._quota, self._max_wait = Quota(per_hour), max_wait
        self._stopped = threading.Event()
        self._clock, self._wait = clock, wait or self._stopped.wait
        self._waiting_until = 0.0
        self._spared = 0
        self._last: int | None = None
        self._lock = threading.Lock()
        self.spent = 0
        """Requests that this budget has let go."""

    @property
    def remaining(self) -> int:
        """How many requests may still be sent now."""
        with self._lock:
            return self._quota.left(self._clock())

    @property
    def per_hour(self) -> int:
        """Requests an hour: as configured, or fewer if the API says so."""
        return self._quota.per_hour

    @property
    def allowed(self) -> int:
        """How many requests `take` would let go now: fewer than `remaining` if some are spared."""
        with self._lock:
            left = self._quota.left(self._clock()) - self._spared
            return max(0, left if self._last is None else min(left, self._last - self.spent))

    @contextmanager
    def sparing(self, share: float, *, most: int | None = None, wait: bool = True) -> Iterator[None]:
        """Within the block, leave a share of the hourly limit to others and send at most `most` requests.

        `take` raises `BudgetSpent` that much earlier; without `wait` it never waits for the limit to reset.
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

    def take(self) -> None:
        """Count one request. Raises `BudgetSpent` if it would have to wait longer than allowed."""
        while (wait := self._try_take()) > 0:
            self.pause(wait)

    def _try_take(self) -> float:
        """Count a request if one is left; otherwise return the seconds to wait."""
        with self._lock:
            if self._last is not None and self.spent >= self._last:
                msg = "all allowed requests were sent: run again for the rest"
                raise BudgetSpent(msg)
            now = self._clock()
            if not (wait := self._quota.wait(now, self._spared)):
                self._quota.take(now)
                self.spent += 1
            return wait

    def hear(self, limits: Limits = _NOTHING, *, refused: bool = False) -> None:
        """Count an answer and its limits, none if no answer came; `refused` if it was a 429."""
        with self._lock:
            self._quota.hear(limits, self._clock(), refused=refused)

    def pause(self, seconds: float) -> None:
        """Wait for the hourly limit to reset. Raises `BudgetSpent` if that takes longer than allowed."""
        if seconds > self._max_wait:
            allowed = f", longer than max_wait allows ({self._max_wait / 60:.0f} min)" if self._max_wait else ""
            msg = f"the hourly request limit is reached; more in {seconds / 60:.0f} min{allowed}: run again then"
            raise BudgetSpent(msg)
        until = self._clock() + seconds
        if until - self._waiting_until > quota.MARGIN:  # others may be waiting for the same reset
            self._waiting_until = until
            _log.warning("the hourly request limit is reached: waiting %.0f s", seconds)
        self._wait(seconds)
        if self._stopped.is_set():
            msg = "stopped while waiting for the hourly limit to reset"
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

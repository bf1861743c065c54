"""The hourly request limit: how many requests are left, and how long until there are more. No clock and no lock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .headers import Limits

HOUR = 3600.0
MARGIN = 1.0
"""Seconds waited after the announced reset: the headers round."""
_IN_FLIGHT = 16
"""No more answers than this can be late: if the remaining count rises by more, the limit has reset."""


@dataclass
class Quota:
    """Two counts: our own of the past hour against `allowed`, and what the API says remains until its reset.

    Call `hear` after each request that was taken. Instants are seconds of any one clock.
    """

    allowed: int
    """Requests an hour, as configured."""
    _sent: deque[float] = field(default_factory=deque)
    _limit: int | None = None
    _remaining: int | None = None
    _resets_at: float = 0.0
    _in_flight: int = 0

    @property
    def per_hour(self) -> int:
        """Requests an hour: as configured, or fewer if the API says so."""
        return min(self.allowed, self._limit or self.allowed)

    def take(self, now: float) -> None:
        """Count a request that is about to be sent."""
        self._sent.append(now)
        self._in_flight += 1
        if self._remaining is not None:
            self._remaining -= 1

    def hear(self, limits: Limits, now: float, *, refused: bool = False) -> None:
        """Count an answer and its limits, none if no answer came; `refused` if it was a 429."""
        self._in_flight = max(0, self._in_flight - 1)
        self._limit = limits.limit or self._limit
        remaining = 0 if refused else limits.remaining
        if remaining is None:
            return
        within = self._remaining is not None and now < self._resets_at
        if self._remaining is not None and within and remaining <= self._remaining + _IN_FLIGHT:
            remaining = min(remaining, self._remaining)  # answers of parallel requests arrive in any order
        else:
            within = False  # many more than before: the limit has reset
            remaining -= self._in_flight  # the API may not have counted these yet
        self._remaining = remaining
        if limits.reset is not None or not within:
            self._resets_at = now + (HOUR if limits.reset is None else limits.reset) + MARGIN

    def left(self, now: float) -> int:
        """How many requests may be sent now; below zero if more are in flight than the API says remain."""
        while self._sent and self._sent[0] <= now - HOUR:
            self._sent.popleft()
        left = self.allowed - len(self._sent)
        if self._remaining is not None:
            if now >= self._resets_at:
                self._remaining = None
            else:
                left = min(left, self._remaining)
        return left

    def wait(self, now: float, spared: int = 0) -> float:
        """Seconds until more than `spared` requests are left; zero if they are now."""
        if self.left(now) > spared:
            return 0.0
        waits = []
        if self._remaining is not None and self._remaining <= spared:
            waits.append(self._resets_at - now)
        # This many of our requests must be an hour old before one more may go.
        number = spared + 1 - (self.allowed - len(self._sent))
        if number > 0:
            waits.append(self._sent[min(number, len(self._sent)) - 1] + HOUR - now if self._sent else HOUR)
        return max(waits)

"""The request limit: requests per window of time, and the headers that report what is left."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .rules import Rules


@dataclass
class Budget:
    """An account's requests: `limit` a window, `spent` in the current one; all may be set at any time.

    A window opens with its first request and lasts `window_seconds`, in real time or by the world's `clock`, whichever
    ends first. Setting the clock back opens a new window.
    """

    limit: int = 1000
    window_seconds: float = 3600
    spent: int = 0
    opened: float | None = None
    clock: Callable[[], float] = time.monotonic
    opened_there: float = 0.0

    def spend(self) -> bool:
        """Take one request off the budget; False if none is left."""
        self._turn()
        if self.spent >= self.limit:
            return False
        self.spent += 1
        return True

    @property
    def reset_seconds(self) -> int:
        """The seconds until the window ends, rounded up."""
        return max(0, math.ceil(self.window_seconds - self._elapsed()))

    def headers(self, rules: Rules, now: datetime, *, refused: bool) -> dict[str, str]:
        """Return the headers that report the budget; an epoch reset is by the world's clock, like the Date header."""
        left, reset = str(max(0, self.limit - self.spent)), str(self.reset_seconds)
        if rules.reset_as_epoch:
            reset = str(int((now + timedelta(seconds=self.reset_seconds)).timestamp()))
        if rules.rate_limit_headers == "standard":
            return {
                "X-RateLimit-Limit": str(self.limit),
                "X-RateLimit-Remaining": left,
                "X-RateLimit-Reset": reset,
            }
        if rules.rate_limit_headers == "hour":
            return {
                "X-RateLimit-Limit-hour": str(self.limit),
                "X-RateLimit-Remaining-hour": left,
                "RateLimit-Reset": reset,
            }
        if rules.rate_limit_headers == "retry_after" and refused:
            return {"Retry-After": str(self.reset_seconds)}
        return {}

    def _turn(self) -> None:
        if self.opened is None or self._elapsed() >= self.window_seconds:
            self.spent = 0 if self.opened is not None else self.spent
            self.opened, self.opened_there = time.monotonic(), self.clock()

    def _elapsed(self) -> float:
        if self.opened is None:
            return 0.0
        there = self.clock() - self.opened_there
        return math.inf if there < 0 else max(time.monotonic() - self.opened, there)

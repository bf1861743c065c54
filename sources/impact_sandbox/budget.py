"""The request budget: so many requests a window of real time, and the headers that tell what is left."""

import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sources.impact_sandbox.rules import Rules


@dataclass
class Budget:
    """An account's requests: `limit` a window, `spent` in the present one; all may be set at any time.

    A window opens with its first request and lasts `window_seconds` of real time.
    """

    limit: int = 1000
    window_seconds: float = 3600
    spent: int = 0
    opened: float | None = None

    def spend(self) -> bool:
        """Take one request off the budget; False when none is left."""
        self._turn()
        if self.spent >= self.limit:
            return False
        self.spent += 1
        return True

    @property
    def reset_seconds(self) -> int:
        """The seconds until the window ends, rounded up."""
        elapsed = 0.0 if self.opened is None else time.monotonic() - self.opened
        return max(0, math.ceil(self.window_seconds - elapsed))

    def headers(self, rules: Rules, now: datetime, *, refused: bool) -> dict[str, str]:
        """Give the headers that tell the budget; an epoch reset is by the world's clock, like the Date header."""
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
        reading = time.monotonic()
        if self.opened is None or reading - self.opened >= self.window_seconds:
            self.spent = 0 if self.opened is not None else self.spent
            self.opened = reading

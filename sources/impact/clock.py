"""The run's clock: ours, or the server's where ours is off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pendulum

from sources.impact.settings import CLOCK_TOLERANCE

_ROUNDING = timedelta(seconds=10)


class Clock:
    """Tells the instant as the server would: by our clock, set by the first answer's `Date` where they differ.

    Set once, it never jumps: of two answers, the later one has the later instant.
    """

    def __init__(self, local: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._local = local
        self.skew = timedelta(0)
        """How far the server's clock is ahead of ours; zero if within tolerance."""
        self._heard = False
        self._rounded = timedelta(0)

    def hear(self, server: datetime | None) -> None:
        """Take note of the server's clock; the first time counts."""
        if server is not None and not self._heard:
            skew = server - self._local()
            self._heard = True
            self.skew = skew if abs(skew) > CLOCK_TOLERANCE else timedelta(0)

    def not_before(self, moment: datetime | None) -> None:
        """Go on from `moment`, which an earlier run reached, if it lies just ahead: a `Date` tells seconds only.

        What is read later must not look older. A moment further ahead was told by a clock that was wrong.
        """
        behind = moment - self.now() if moment else timedelta(0)
        if timedelta(0) < behind < _ROUNDING:
            self._rounded = behind

    def describe(self) -> str:
        """The difference in words."""
        apart = pendulum.duration(seconds=int(abs(self.skew.total_seconds()))).in_words()
        return f"this machine's clock is {apart} {'behind' if self.skew > timedelta(0) else 'ahead of'} the server's"

    def now(self) -> datetime:
        """The instant, UTC."""
        return self._local() + self.skew + self._rounded

"""The run's clock: our own, or the servers' if they agree that ours is off.

A `Date` header can be wrong: one node of many can be hours ahead. So can our own clock. The majority is believed.
Without one, the earliest side is: a cursor that stays behind costs a second read, one that runs ahead loses rows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pendulum

from ..settings import CLOCK_TOLERANCE

_ROUNDING = timedelta(seconds=10)
_NONE = timedelta(0)
_QUORUM = 3
"""Answers that have to agree to overrule our own clock."""
_HEARD = 99
"""The number of latest answers that are remembered."""


def local() -> datetime:
    """What this machine's clock says, UTC."""
    return datetime.now(UTC)


def estimate_skew(skews: Iterable[timedelta]) -> tuple[timedelta, bool]:
    """How far the servers are ahead of us, given what each answer says, and whether that is certain.

    Our own clock is one more witness: it says zero, and counts if an answer agrees with it. Certain is what most
    witnesses say, if these are our clock and an answer, or three answers. Otherwise, of the sides that no other
    outnumbers by more than one, the earliest is taken.
    """
    votes = sorted([_NONE, *skews])
    sides = {
        at: bisect_right(votes, at + CLOCK_TOLERANCE) - bisect_left(votes, at - CLOCK_TOLERANCE)
        for at in dict.fromkeys(votes)
    }
    most = max(sides.values())
    leader = min(at for at, size in sides.items() if size == most)
    is_ours = abs(leader) <= CLOCK_TOLERANCE
    if 2 * most > len(votes) and most >= (2 if is_ours else _QUORUM):
        return (_NONE if is_ours else leader), True
    leader = min(at for at, size in sides.items() if size >= most - 1)
    return (_NONE if abs(leader) <= CLOCK_TOLERANCE else leader), False


class Clock:
    """The instant by the servers' clock. `hear` their answers, then `settle`.

    Once settled, it never jumps: of two answers, the later one has the later instant. Later answers that contradict it
    show in `excess`.
    """

    def __init__(self, own: Callable[[], datetime] | None = None) -> None:
        self._local = own or local
        self._heard: deque[timedelta] = deque(maxlen=_HEARD)
        self._heard_since: deque[timedelta] = deque(maxlen=_HEARD)
        """Those of the answers that came after the clock was set."""
        self._skew: timedelta | None = None
        self._rounded = _NONE

    @property
    def skew(self) -> timedelta:
        """How far the server's clock is ahead of ours; zero if within tolerance."""
        return estimate_skew(self._heard)[0] if self._skew is None else self._skew

    @property
    def heard(self) -> bool:
        """Whether any answer told the server's time."""
        return bool(self._heard)

    @property
    def settled(self) -> bool:
        """Whether the clock is set."""
        return self._skew is not None

    @property
    def in_doubt(self) -> bool:
        """Whether more answers are needed before the clock is set: they differ, and no majority says who is wrong.

        A clock ahead moves cursors past what was read, a clock behind ends the run before the newest actions.
        """
        return not self.settled and bool(self._heard) and not estimate_skew(self._heard)[1]

    @property
    def excess(self) -> timedelta:
        """How far `now` runs ahead of what all answers so far make credible; zero if it does not.

        Answers that came after the clock was set also count by themselves: if all of them contradict it, too few may
        have come yet to outnumber those that it was set by.
        """
        since = max(self._heard_since, default=self.skew)
        ahead = self.skew - min(estimate_skew(self._heard)[0], since)
        return ahead if ahead > CLOCK_TOLERANCE else _NONE

    @property
    def odd(self) -> tuple[timedelta, ...]:
        """How far the answers that are not believed were ahead of the others."""
        skew = estimate_skew(self._heard)[0]
        return tuple(heard - skew for heard in self._heard if abs(heard - skew) > 2 * CLOCK_TOLERANCE)

    def hear(self, server: datetime | None) -> None:
        """Record what an answer says of the server's clock."""
        if server is not None:
            self._heard.append(server - self._local())
            if self.settled:
                self._heard_since.append(self._heard[-1])

    def settle(self) -> None:
        """Keep what is believed now."""
        if self._skew is None:
            self._skew = self.skew

    def not_before(self, moment: datetime | None) -> None:
        """Continue from `moment`, which an earlier run reached, if it lies just ahead: a `Date` is rounded to seconds.

        Later reads must not look older. A moment further ahead came from a wrong clock.
        """
        behind = moment - self.now() if moment else _NONE
        if _NONE < behind < _ROUNDING:
            self._rounded = behind

    def describe(self) -> str:
        """The difference in words."""
        side = "behind" if self.skew > _NONE else "ahead of"
        return f"this machine's clock is {_words(self.skew)} {side} the server's"

    def describe_odd(self) -> str:
        """The answers that are not believed, in words; empty if there are none."""
        if not (odd := self.odd):
            return ""
        worst = max(odd, key=abs)
        return (
            f"{len(odd)} of {len(self._heard)} answers carried a wrong Date, up to {_words(worst)} "
            f"{'ahead' if worst > _NONE else 'behind'}: not believed"
        )

    @property
    def server_now(self) -> datetime:
        """The servers' time now, whatever an earlier run has reached."""
        return self._local() + self.skew

    def now(self) -> datetime:
        """The time now, UTC."""
        return self.server_now + self._rounded


def _words(apart: timedelta) -> str:
    return pendulum.duration(seconds=round(abs(apart.total_seconds()))).in_words()

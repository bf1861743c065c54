"""Records what a run could not read and why, and decides when to stop trying. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from typing_extensions import override

from ..errors import NotFound, ReadingError, RequestRefused, ScopeError, TransientError, WindowTooFull
from ..plan.passes import Pass, Reading

_WINDOWS_IN_A_ROW = 3
"""Consecutive windows of one campaign's pass that may fail before the rest of that pass is given up."""
_ACTIONS_IN_A_ROW = 6
"""The same for actions that are read one by one."""
_DOWN = 9
"""Consecutive readings of any kind without a valid answer after which the API counts as down and the run ends."""
_REFUSALS = (RequestRefused, ScopeError, NotFound, WindowTooFull)
_Lane: TypeAlias = tuple[str, Pass, bool]
"""Campaign, pass, and whether actions are read one by one."""


@dataclass(frozen=True)
class Failure:
    """A window that could not be read and why; or one action, if `action_id` is given."""

    reading: Reading
    error: ReadingError
    action_id: str | None = None

    @override
    def __str__(self) -> str:
        """What could not be read, and the reason in the words of the API or of the check that failed."""
        text = str(self.error)
        if self.action_id is not None:
            return f"campaign {self.reading.campaign_id}, action {self.action_id}: {text}"
        return text if text.startswith(f"campaign {self.reading.campaign_id},") else f"{self.reading}: {text}"


class Unread:
    """Records how each reading of a run ended, in order."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.left_out: list[Reading] = []
        """Windows that were not requested, because too many before them could not be read."""
        self.actions_left_out: Counter[str] = Counter()
        """By campaign, how many actions were not requested one by one, for the same reason."""
        self.lost: Collection[str] = ()
        """Campaigns that no longer exist, as the API says."""
        self.refused: dict[str, Failure] = {}
        """Those among them whose actions are refused too, as expected: these are not failures."""
        self.without_feed: dict[str, Failure] = {}
        """Campaigns whose change feed the API refuses or does not have: items are requested one by one there."""
        self.any_read = False
        self._in_a_row: Counter[_Lane] = Counter()
        self._down = 0

    def fail(self, failure: Failure) -> None:
        """Record what could not be read. Raises its error if that shows that the API is down."""
        campaign_id = failure.reading.campaign_id
        if campaign_id in self.lost and isinstance(failure.error, _REFUSALS):
            self.refused.setdefault(campaign_id, failure)
            return
        self.failures.append(failure)
        self._in_a_row[_lane(failure.reading, failure.action_id is not None)] += 1
        if not isinstance(failure.error, TransientError | ScopeError):
            self._down = 0
            return
        self._down += 1
        if self._down >= _DOWN:
            raise failure.error

    def excuses(self, failure: Failure) -> bool:
        """Whether nothing is lost: a campaign's change feed is refused, or the API has none; records that."""
        excused = failure.reading.pass_ is Pass.FEED and isinstance(failure.error, ScopeError | NotFound)
        if excused:
            self.without_feed.setdefault(failure.reading.campaign_id, failure)
        return excused

    def succeed(self, reading: Reading, *, one_by_one: bool = False) -> None:
        """Record that a window, or an action, was read."""
        self.any_read = True
        self._down = 0
        self._in_a_row[_lane(reading, one_by_one)] = 0

    def gave_up(self, reading: Reading, *, one_by_one: bool = False) -> bool:
        """Whether the rest of this pass is given up because so much of it could not be read."""
        if reading.campaign_id in self.refused:
            return True
        most = _ACTIONS_IN_A_ROW if one_by_one else _WINDOWS_IN_A_ROW
        return self._in_a_row[_lane(reading, one_by_one)] >= most

    def windows(self, campaign_id: str, pass_: Pass) -> list[Reading]:
        """The windows of a campaign's pass that were not read."""
        failures = [*self.failures, *self.refused.values(), *self.without_feed.values()]
        failed = [failure.reading for failure in failures if failure.action_id is None]
        return [r for r in [*failed, *self.left_out] if (r.campaign_id, r.pass_) == (campaign_id, pass_)]

    def concerns(self, campaign_id: str) -> bool:
        """Whether anything of a campaign was not read."""
        failed = any(failure.reading.campaign_id == campaign_id for failure in self.failures)
        return failed or campaign_id in self.refused

    @property
    def unanswered(self) -> ReadingError | None:
        """The first error, if nothing at all was read and no answer said why."""
        silent = (TransientError, ScopeError)
        if self.any_read or not all(isinstance(failure.error, silent) for failure in self.failures):
            return None
        return self.failures[0].error if self.failures else None


def _lane(reading: Reading, one_by_one: bool) -> _Lane:  # noqa: FBT001 - a part of the key
    return reading.campaign_id, reading.pass_, one_by_one

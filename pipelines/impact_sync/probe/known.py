"""What the probe knows of an account so far, and the ways in which its questions look at lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from impact_source.errors import ReadingError, RequestRefused, TooSlow, TransientError
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window, round_second
from impact_source.settings import PAGE_SIZE_MIN, WINDOW_MAX

from .answers import Answer, Topic, Untellable
from .asking import Asker
from .comparing import DAY, MINUTE, Reading
from .rows import Listing, Row, moment, text

Answers: TypeAlias = Iterator[tuple[Topic, Answer]]
Ask: TypeAlias = Callable[["Known"], Answers]
WIDE: Final = WINDOW_MAX - timedelta(days=1)
SPANS: Final = (WIDE, timedelta(days=3), timedelta(hours=3), timedelta(minutes=10))
"""The lengths of lists to try: the next if one is refused or takes too long."""
FIELDS: Final = {Axis.EVENT: "EventDate", Axis.LOCKING: "LockingDate"}
"""The dates that are shown."""
_NEAR, _FAR = timedelta(minutes=10), timedelta(hours=25)
_TRIED: Final = 2
_LATELY: Final = timedelta(days=6)


@dataclass
class Known:
    """The campaign that is asked about, some of its actions, and what was found out."""

    asker: Asker
    campaigns: list[str] = field(default_factory=list)
    campaign: str = ""
    rows: list[Row] = field(default_factory=list)
    """Actions that were updated lately: the first page of them."""
    longest: timedelta = WIDE
    """The longest list that was answered."""
    size: int = PAGE_SIZE_MIN
    """The largest PageSize, up to the default, that was accepted."""
    units: dict[Axis, int] = field(default_factory=dict)
    """To how many milliseconds bounds are compared."""
    all_apply: bool = False
    """Whether it is known that a list holds only what meets all filters."""
    reading: Reading | None = None
    """How bounds of the latest date that was asked about are compared."""
    several: str = ""
    """An action with several items."""
    single: str = ""
    """An action with one item."""

    @property
    def spans(self) -> list[timedelta]:
        """The lengths of lists that are worth trying."""
        return [span for span in SPANS if span <= self.longest][:_TRIED]

    def actions(self, windows: Mapping[Axis, Window], state: str = "") -> Listing:
        """The first page of the campaign's actions in these windows."""
        return self.asker.actions(self.campaign, windows, self.size, state)

    @staticmethod
    def widest(read: Callable[[Window], Listing], windows: Iterable[Window]) -> tuple[Window, Listing]:
        """The first window whose list is not refused nor takes too long, and the list. Raises the last error."""
        error = ReadingError("no window was tried")
        for window in windows:
            try:
                return window, read(window)
            except (RequestRefused, TooSlow) as refused:
                error = refused
        raise error

    def sees(self, windows: Mapping[Axis, Window], match: Callable[[Row], bool]) -> bool | None:
        """Whether a list holds such an action; None if there is no list, or more of it than a page."""
        try:
            found = self.actions(windows)
        except (RequestRefused, TransientError):
            return None
        return True if any(map(match, found.rows)) else False if found.complete else None

    def violates(self, windows: Mapping[Axis, Window], odd: Callable[[Row], bool], state: str = "") -> bool:
        """Whether a list holds an action that it should not. Raises `Untellable` if only part of it was seen."""
        found = self.actions(windows, state)
        return any(map(odd, found.rows)) or self.expect(False if found.complete else None)

    def expect(self, seen: bool | None) -> bool:  # noqa: FBT001 - the value is the subject
        """What was seen, if anything was. Raises `Untellable`."""
        if seen is None:
            msg = "the list it takes was not answered, or not on one page"
            raise Untellable(msg)
        return seen

    def around(self, at: datetime, *axes: Axis) -> Window:
        """The shortest window that holds an instant, however bounds of these dates are compared; in whole seconds."""
        fine = all(self.units.get(axis, DAY) <= MINUTE for axis in axes)
        pad = _NEAR if fine else _FAR
        return Window(round_second(at - pad), round_second(at + pad))

    def with_dates(self, *axes: Axis) -> list[Row]:
        """The actions that have an id and these dates: those created in the past days, if there are any.

        These are in a list even if the API limits it to what was updated in the past 7 days.
        """
        since = self.asker.now - _LATELY
        dated = [row for row in self.rows if text(row, "Id") and all(moment(row, FIELDS[axis]) for axis in axes)]
        return [row for row in dated if (moment(row, "CreationDate") or since) > since] or dated


def before(now: datetime, spans: Iterable[timedelta] = SPANS) -> list[Window]:
    """Windows of these lengths that end now."""
    return [Window(now - span, now) for span in spans]

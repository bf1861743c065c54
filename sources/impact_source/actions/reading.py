"""Turns windows into batches of typed rows: fetches ahead, checks completeness, narrows where needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..api.client import Client
from ..errors import ReadingError
from ..plan.passes import Pass, Reading
from ..plan.windows import Window
from .checking import WindowChecker
from .events import Events, Outcome, WindowDone
from .fetching import Fetched, Fetcher
from .narrowing import Counting, Narrower, Reads
from .prefetch import PageList
from .singles import SingleReader
from .unread import Failure, Unread


class WindowReader:
    """Reads windows in order, fetching and parsing the next ones meanwhile. Close it, or its threads linger."""

    def __init__(self, client: Client, page_size: int, known: Counting) -> None:
        self.unread = Unread()
        """What could not be read."""
        self._clock = client.clock
        self._fetcher = Fetcher(client, page_size)
        self._checker = WindowChecker(self._fetcher)
        self._narrower = Narrower(self._fetcher, self._checker, known)
        self._singles = SingleReader(self._fetcher, self.unread)

    @property
    def horizon(self) -> Window | None:
        """A window that holds every EventDate that an action can have."""
        return self._checker.horizon

    @horizon.setter
    def horizon(self, window: Window) -> None:
        self._checker.horizon = window

    def close(self) -> None:
        """Abandon what is not fetched yet and end the threads; the client then sends no more requests."""
        self._fetcher.close()

    def read(self, readings: Iterable[Reading]) -> Events:
        """Batches of each window in order; `WindowDone` ends each window and each part of a split one.

        A window that cannot be read ends as `failed`, and the next one is read. Raises what ends a run.
        """
        skipped = self.unread.left_out
        before = len(skipped)
        for window in self._fetcher.fetch(readings, self._skip):
            try:
                yield from self._read(window)
            except ReadingError as error:
                window.drop()
                failure = Failure(window.wanted, error)
                if self.unread.excuses(failure):
                    continue
                yield WindowDone.failed(window.wanted, error)
                self.unread.fail(failure)
            else:
                self.unread.succeed(window.wanted)
        for reading in skipped[before:]:
            yield WindowDone(reading, Outcome.LEFT_OUT, reason="too many windows before it could not be read")

    def read_singly(self, campaign_id: str, ids: Sequence[str]) -> Events:
        """Batches of the actions with these ids, one request each; ids that the API does not know are in `gone`.

        An action that cannot be read ends as `failed`, and the next one is read.
        """
        now = self._clock.now().replace(microsecond=0)
        yield from self._singles.read(Reading(campaign_id, Pass.UNSEEN, Window(now, now)), ids, now)

    def _read(self, window: PageList[Reading, Fetched]) -> Reads:
        """One window as requested, or narrowed if it cannot be read like that. Raises `ReadingError`."""
        ids, case = yield from self._checker.read(window)
        return ids if case is None else (yield from self._narrower.read(case))

    def _skip(self, reading: Reading) -> bool:
        """Whether to skip a window because too many of its pass could not be read."""
        if reading.pass_ is Pass.FEED and reading.campaign_id in self.unread.without_feed:
            return True
        skip = self.unread.gave_up(reading)
        if skip:
            self.unread.left_out.append(reading)
        return skip

"""Reads a window that is too large in parts, as `plan.cuts` and `plan.narrowing` decide."""

from __future__ import annotations

import logging
from collections.abc import Generator
from itertools import chain
from typing import Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import RequestRefused, WindowIncomplete
from ..plan import narrowing
from ..plan.axis import Axis
from ..plan.cuts import Cuts, Known, cut
from ..plan.narrowing import Case, Way
from ..plan.passes import Reading
from ..plan.windows import Counts, Window
from .checking import Tries, WindowChecker, count_distinct
from .events import Batch, Outcome, WindowDone
from .fetching import IN_FLIGHT, Fetcher

_log = logging.getLogger(__name__)
Reads: TypeAlias = Generator[Batch | WindowDone, None, list[pa.Array]]
"""Events, and at the end the ids that were received."""


class Counting(Protocol):
    """Where actions are known to lie; used to cut well, never to decide what is complete."""

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:
        """How many actions of a campaign lie at each instant of a date, within these windows."""


class Narrower:
    """Reads windows in parts that together hold all of them; narrows a part further if it cannot be read either."""

    def __init__(self, fetcher: Fetcher, checker: WindowChecker, known: Counting) -> None:
        self._fetcher, self._checker, self._known = fetcher, checker, known

    def read(self, case: Case) -> Reads:
        """Read a complete window. Raises `ReadingError` if that takes more requests than `plan.narrowing` allows."""
        return self._narrow(case, _Spent(case))

    def _narrow(self, case: Case, spent: _Spent) -> Reads:
        _log.info("%s; narrowing it", case)
        while cuts := cut(case, self._known_of(case)):
            if cuts.way is Way.LARGER:
                ids, larger = yield from self._read_larger(case, cuts, spent)
                if larger is None:
                    return ids
                case = larger
                continue
            ids, now = (yield from self._read_parts(case, cuts, spent)), case
            if not narrowing.adds_up(case, cuts.way, count_distinct(ids)):
                again, still = yield from self._counted(self._read_one(case.reading), spent)
                if still is None:  # it has become smaller in the meantime
                    return again
                now = still
                if not narrowing.adds_up(case, cuts.way, count_distinct(ids), now):
                    found = count_distinct(ids)
                    _log.warning("%s: its parts by %s have %d of at least %d", case, cuts.way.name, found, now.least)
                    case = narrowing.shut_way(case, cuts.way, now.total)
                    continue
            yield WindowDone(case.reading, Outcome.SPLIT, now.total, count_distinct(ids))
            return ids
        raise _unreadable(case)

    def _read_parts(self, case: Case, cuts: Cuts, spent: _Spent) -> Reads:
        """The parts of a window. Stops as soon as they hold all of it, if its total is known."""
        ids: list[pa.Array] = []
        cases: list[Case] = []
        windows = chain.from_iterable(self._fetcher.fetch(batch, narrow=True) for batch in cuts.batches)
        for window in windows:
            found, part = yield from self._counted(self._checker.read(window), spent)
            ids += found
            if part is not None and cuts.way is Way.EVENT:
                # At once: the parts known to hold rows come first, and they decide how many requests may be sent.
                child = narrowing.child(case, cuts.way, part, count_distinct(ids))
                ids += yield from self._narrow(child, spent)
            elif part is not None:
                cases.append(part)
            if not cases and narrowing.may_stop(case, cuts.way) and count_distinct(ids) == case.total:
                break
        for number, part in enumerate(cases):
            others = count_distinct(ids) + sum(other.least for other in cases[number + 1 :])
            ids += yield from self._narrow(narrowing.child(case, cuts.way, part, others), spent)
        return ids

    def _read_larger(self, case: Case, cuts: Cuts, spent: _Spent) -> Tries:
        """The window on larger pages, if the API takes them; otherwise what to narrow instead."""
        (reading,) = cuts.readings
        try:
            ids, part = yield from self._counted(self._read_one(reading, narrow=True), spent)
        except RequestRefused as error:
            _log.info("the API takes no larger pages: %s", error)
            self._fetcher.pages_may_grow = False
            spent.requests += error.requests
            return [], case
        return (ids, None) if part is None else ([], narrowing.after_larger(case, part))

    def _read_one(self, reading: Reading, *, narrow: bool = False) -> Tries:
        return self._checker.read(next(self._fetcher.fetch([reading], narrow=narrow)))

    def _counted(self, reads: Tries, spent: _Spent) -> Tries:
        """What is read, within the requests that narrowing may take. Raises `WindowIncomplete` beyond that."""
        spent.check()
        try:
            while True:
                event = next(reads)
                spent.count(event)
                yield event
        except StopIteration as end:
            ids: list[pa.Array]
            ids, case = end.value
            return ids, case

    def _known_of(self, case: Case) -> Known:
        def counts(reading: Reading, axis: Axis) -> Counts:
            return self._known.counts(reading.campaign_id, axis, reading.windows)

        return Known(counts, self._checker.horizon or case.reading.window, self._fetcher.pages_may_grow)


class _Spent:
    """The requests that narrowing one window takes, and the rows that it brings."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.requests = 2  # the window itself, and the probe whether it was too large
        self._ids: list[pa.Array] = []

    def count(self, event: Batch | WindowDone) -> None:
        """Count what was read."""
        if isinstance(event, Batch):
            self._ids.append(event.ids)
        else:
            self.requests += event.requests

    def check(self) -> None:
        """Raise `WindowIncomplete` if the requests allowed are used up, including those in flight."""
        case, sent = self._case, self.requests + IN_FLIGHT
        if sent > narrowing.allowed(case.least, case.size):
            self._ids = [pc.unique(pa.concat_arrays(self._ids))] if self._ids else []
            if sent > narrowing.allowed(max(case.least, *map(len, self._ids), 0), case.size):
                raise _unreadable(case)


def _unreadable(case: Case) -> WindowIncomplete:
    said = f" The API says: {case.said}" if case.said else ""
    return WindowIncomplete(
        f"{case}, and narrowing it did not help; the cursor stays where it was.{said} Try a larger page_size"
    )

"""Reads one window as requested and checks that all its rows came; if not, says why."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import replace
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ReadingError, RequestRefused, TooSlow, Unavailable, WindowIncomplete, WindowTooFull
from ..plan.narrowing import Case, Why, plan_probes, plausible_total
from ..plan.passes import Reading
from ..plan.windows import Window
from ..settings import PAGE_SIZE_MIN
from .events import Batch, Outcome, WindowDone
from .fetching import Fetched, Fetcher
from .prefetch import PageList

_NAMED = 3
"""The most actions that a message names."""
_TRIES = 3
"""How often a page that contradicts its own total is read."""
Tries: TypeAlias = Generator[Batch | WindowDone, None, tuple[list[pa.Array], Case | None]]
"""Events; at the end, the ids received and why they are not the complete window."""


class WindowChecker:
    """Reads single windows. `horizon` holds every EventDate that an action can have."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.horizon: Window | None = None
        self._fetcher = fetcher
        self._of_many: set[str] = set()
        """Sentences, without numbers, in which the API refuses too many rows."""

    def read(self, window: PageList[Reading, Fetched], tries: int = 1) -> Tries:
        """Read a window. Raises `ReadingError` if narrowing it cannot help."""
        reading = window.wanted
        try:
            fetched = window.first()
        except RequestRefused as error:
            case, requests = self._too_many(reading, error), error.requests
            yield WindowDone(reading, Outcome(case.why.value), case.total, requests=requests)
            return [], case
        except TooSlow as error:
            yield WindowDone(reading, Outcome.TOO_SLOW, requests=error.requests)
            return [], self._too_slow(reading, error)
        total, pages, seen = fetched.page.total, fetched.page.pages, [fetched.batch.ids]
        yield fetched.batch
        done = _count(WindowDone(reading, Outcome.COMPLETE, total, 0, pages), fetched)
        try:
            for fetched in window.following(pages):
                seen.append(fetched.batch.ids)
                yield fetched.batch
                done = _count(done, fetched)
        except TooSlow as error:
            window.drop()
            yield replace(done, outcome=Outcome.TOO_SLOW, requests=done.requests + error.requests)
            return seen, self._too_slow(reading, error)
        if count_distinct(seen) == total == fetched.page.total:
            yield done
            return seen, None
        yield replace(done, outcome=Outcome.MOVED)
        if pages > 1:
            return seen, Case(reading, Why.MOVED, "", self._fetcher.page_size(reading), total)
        if tries < _TRIES:
            return (yield from self.read(self._fetcher.fetch_one(reading), tries + 1))
        msg = f"{reading}: the API reports {total} actions but sent {_sent(seen)}"
        raise WindowIncomplete(msg)

    def _too_many(self, reading: Reading, error: RequestRefused) -> Case:
        """The case of a refusal of too many rows. Raises the refusal if it is about anything else.

        To find out, sends the same query over windows that hold next to nothing (`plan_probes`), once for each sentence
        of the API, ignoring its numbers.
        """
        total = error.total if isinstance(error, WindowTooFull) else None
        sentence = re.sub(r"\d+", "", error.said)
        if plausible_total(total, self._fetcher.page_size(reading)) is None and sentence not in self._of_many:
            if not isinstance(error, WindowTooFull) and error.fields:
                raise error  # it names something that fewer rows would not change
            try:
                error.requests += self._ask_little(reading, Why.TOO_MANY, self._fetcher.asked_size(reading))
            except RequestRefused:
                error.requests += 2
                raise error from None
            self._of_many.add(sentence)
        size = self._fetcher.page_size(reading)
        return Case(reading, Why.TOO_MANY, str(error), size, plausible_total(total, size))

    def _too_slow(self, reading: Reading, error: TooSlow) -> Case:
        """The case of a window that timed out. Raises `Unavailable` if the API does not answer a small query either."""
        if not self._fetcher.is_silent:  # if it did not answer the last time, it is down until it answers anything
            try:
                self._ask_little(reading, Why.TOO_SLOW, PAGE_SIZE_MIN)
            except ReadingError:
                self._fetcher.is_silent = True
        if self._fetcher.is_silent:
            raise Unavailable(str(error)) from None
        return Case(reading, Why.TOO_SLOW, str(error), self._fetcher.page_size(reading))

    def _ask_little(self, reading: Reading, why: Why, size: int) -> int:
        """Query windows that hold next to nothing; returns the requests that took. Raises if none is answered."""
        first, *others = plan_probes(reading, self.horizon or reading.window, why)
        try:
            return self._fetcher.ask(reading, first, size).requests
        except RequestRefused:
            if not others:
                raise
            return self._fetcher.ask(reading, others[0], size).requests


def count_distinct(ids: list[pa.Array]) -> int:
    """The number of different ids."""
    return int(pc.count_distinct(pa.concat_arrays(ids)).as_py()) if ids else 0


def _sent(ids: list[pa.Array]) -> str:
    """How many rows came, and which of them more than once."""
    counts = pc.value_counts(pa.concat_arrays(ids)).to_pylist()
    rows = sum(one["counts"] for one in counts)
    twice = sorted(one["values"] for one in counts if one["counts"] > 1)
    if not twice:
        return f"{rows}"
    more = f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else ""
    return f"{rows} (repeated: {', '.join(twice[:_NAMED])}{more})"


def _count(done: WindowDone, fetched: Fetched) -> WindowDone:
    records = fetched.batch.records
    return replace(
        done,
        rows=done.rows + len(records.table) + len(records.rejected),
        requests=done.requests + fetched.requests,
        seconds=done.seconds + fetched.seconds,
    )

"""What reading a campaign yields: batches of typed rows, and how each window ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Self, TypeAlias

import pyarrow as pa

from ..errors import ReadingError
from ..plan.passes import Reading
from ..rows.ledger import Origin, Row
from ..rows.parse import Records


class Outcome(StrEnum):
    """How reading a window ended, as recorded in `sync_windows`."""

    COMPLETE = "whole"
    SPLIT = "parted"
    """Received completely, in parts."""
    ONE_BY_ONE = "one by one"
    """Actions requested by their ids."""
    AHEAD = "ahead"
    """Received completely, but after a window that could not be read: the cursor stays before both."""
    TOO_FULL = "too full"
    TOO_SLOW = "too slow"
    MOVED = "moved"
    FAILED = "failed"
    """A window, or an action, that could not be read."""
    LEFT_OUT = "left out"
    """Not requested, because too many before it could not be read."""


@dataclass(frozen=True)
class Batch:
    """The rows of one page, or of some actions read one by one; `gone` are ids that the API no longer knows.

    `arrived` is in seconds: of two batches, the one with the larger value was read later.
    """

    reading: Reading
    records: Records
    read_at: datetime
    arrived: float
    gone: tuple[str, ...] = ()

    @cached_property
    def ids(self) -> pa.Array:
        """Ids of the records, readable or not; one without an id counts by its raw JSON."""
        rejected = [record.id or f"{n} {record.raw}" for n, record in enumerate(self.records.rejected)]
        return pa.concat_arrays([*self.records.table["id"].chunks, pa.array(rejected, pa.string())])

    def origin(self, run_id: str) -> Origin:
        """Where its records were read, as recorded in `rejected_records`."""
        reading, window = self.reading, self.reading.window
        return Origin(run_id, reading.campaign_id, reading.pass_.value, self.read_at, window.start, window.end)


@dataclass(frozen=True)
class WindowDone:
    """The end of one window, read or not, for `sync_windows`; `reason` is why it could not be read."""

    reading: Reading
    outcome: Outcome
    total: int | None = None
    rows: int = 0
    pages: int = 0
    requests: int = 0
    seconds: float = 0.0
    reason: str | None = None

    @classmethod
    def failed(cls, reading: Reading, error: ReadingError) -> Self:
        """A window that could not be read."""
        return cls(reading, Outcome.FAILED, reason=str(error))

    @property
    def complete(self) -> bool:
        """Whether everything in the window was received."""
        return self.outcome in {Outcome.COMPLETE, Outcome.SPLIT}

    def row(self, run_id: str) -> Row:
        """The row of `sync_windows`."""
        return {
            "run_id": run_id,
            "campaign_id": self.reading.campaign_id,
            "pass": self.reading.pass_.value,
            "window_start": self.reading.window.start,
            "window_end": self.reading.window.end,
            "event_start": self.reading.event.start if self.reading.event else None,
            "event_end": self.reading.event.end if self.reading.event else None,
            "total": self.total,
            "rows": self.rows,
            "pages": self.pages,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "outcome": self.outcome.value,
            "reason": self.reason,
        }


Events: TypeAlias = Iterator[Batch | WindowDone]

"""Where an apply stands, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CallProgress:
    """Calls `done` (sent or left out) `of` those of the plan, and how many were settled by this run."""

    done: int
    of: int
    settled: int
    requests_left: int

"""The phases of a run, and a small file in which a run tells another process where it is."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path


class Phase(StrEnum):
    """Where a run is; the phases of a load package are those of dlt."""

    STARTING = "starting"
    EXTRACT = "extract"
    NORMALIZE = "normalize"
    LOAD = "load"
    BETWEEN = "between"


class PhaseFile:
    """Written by one process, read by another at any instant."""

    def __init__(self, path: Path | str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)
        self._entered = dict.fromkeys(Phase, 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def enter(self, phase: Phase) -> None:
        """Record that a phase begins, and how often it has begun."""
        self._entered[phase] += 1
        os.pwrite(self._file, f"{phase.value} {self._entered[phase]}".ljust(32).encode(), 0)

    def read(self) -> tuple[Phase, int] | None:
        """The last phase entered and how often; None before the first."""
        words = os.pread(self._file, 32, 0).decode().split()
        return (Phase(words[0]), int(words[1])) if words else None

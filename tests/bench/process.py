"""What a command costs, as counted by the kernel when the process ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

_ROOT = Path(__file__).parents[2]
_KIBI = 1 if sys.platform == "darwin" else 1024
"""Bytes per unit of ru_maxrss."""
_BLOCK = 512
"""Bytes per unit of ru_oublock, on Linux."""
_TAIL = 4_000


class CommandFailed(Exception):
    """A measured command failed: its figures would mean nothing."""


@dataclass(frozen=True)
class Cost:
    """Seconds of wall and processor time (including its children), bytes of memory at the peak, and bytes written."""

    wall: float
    processor: float
    peak: int
    written: int

    @property
    def figures(self) -> dict[str, float]:
        """The numbers by name."""
        return asdict(self)


def middle(costs: Sequence[Cost]) -> Cost:
    """The medians of some runs, separately for each figure."""
    return Cost(
        wall=median(cost.wall for cost in costs),
        processor=median(cost.processor for cost in costs),
        peak=int(median(cost.peak for cost in costs)),
        written=int(median(cost.written for cost in costs)),
    )


def measure(
    command: Sequence[str], folder: Path, own: Mapping[str, str] | None = None, *, ends: Collection[int] = (0,)
) -> Cost:
    """Measure a command in a folder. Raises `CommandFailed` with the end of its output, unless it `ends` so."""
    with TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(own), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        # Only wait4 reports this one child; getrusage would add up all of them.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in ends:
            said.seek(0)
            tail = said.read().decode(errors="replace")[-_TAIL:]
            msg = f"{Path(command[0]).name} {' '.join(command[1:3])} ended with {process.returncode}:\n{tail}"
            raise CommandFailed(msg)
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * _KIBI, used.ru_oublock * _BLOCK)


def environment(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of this process without anything that would configure dlt, with this tree's modules first."""
    # Without bytecode that is kept, Python would compile our modules in each run, but not those of its packages.
    kept = {name: value for name, value in os.environ.items() if "__" not in name and name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, "RUNTIME__DLTHUB_TELEMETRY": "false", **(own or {})}

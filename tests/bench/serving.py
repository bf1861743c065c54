"""The server's process, as the measuring process sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from tests.bench.process import environment
from tests.bench.task import Task

DAYS = 1080
"""Days of conversions: nearly as far back as the API goes, so that a window of 45 days is never too full."""
_PATIENCE = 600.0


@dataclass(frozen=True)
class Counts:
    """Requests since the last count, and how many of them were new to the server."""

    requests: int
    computed: int


@dataclass
class Server:
    """A running server and its account."""

    url: str
    now: datetime
    account_sid: str
    auth_token: str

    def task(self, warehouse: str, *, share: float = 1.0, ahead: int = 0, tuned: bool = False) -> Task:
        """A backfill from this server."""
        return Task(
            url=self.url,
            account_sid=self.account_sid,
            auth_token=self.auth_token,
            now=self.now,
            warehouse=warehouse,
            share=share,
            ahead=ahead,
            tuned=tuned,
        )

    def count(self) -> Counts:
        """The requests since the last count."""
        said = self._tell(count=1)
        return Counts(said["requests"], said["computed"])

    def advance(self, days: float) -> None:
        """Move the clock by some days."""
        self.now = datetime.fromisoformat(self._tell(advance_days=days)["now"])

    def delay(self, seconds: float) -> None:
        """Delay each answer by this many seconds."""
        self._tell(latency=seconds)

    def write_items(self, file: Path) -> None:
        """Write all items, as lists would show them, to a parquet file."""
        self._tell(items=str(file))

    def _tell(self, **asked: float | str) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/bench", params=asked, timeout=_PATIENCE, trust_env=False)
        said: dict[str, Any] = answer.raise_for_status().json()
        return said


@contextmanager
def serving(rows: int, *, days: int = DAYS, seed: int = 1) -> Iterator[Server]:
    """A server of about so many actions over so many days, within the block."""
    command = [sys.executable, "-m", "tests.bench.server", str(rows), str(days), str(seed)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                msg = "the server did not start: see above"
                raise RuntimeError(msg)
            url = json.loads(line)
            said = httpx.post(f"{url}/bench", timeout=_PATIENCE, trust_env=False).json()
            yield Server(url, datetime.fromisoformat(said["now"]), said["account_sid"], said["auth_token"])
        finally:
            if process.stdin:
                process.stdin.close()

"""Kills `impact` at instants spread over its phases, continues, and compares with the truth."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.phases import Phase, PhaseFile
from tests.chaos.truth import Damage, change_some
from tests.support.account import Account

_MOST = 180.0
"""Seconds that a run may take; a longer one hangs."""
_TOLD = 45.0
"""Seconds that a run may take to end after a signal: more than it allows itself."""
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
"""The exit code of a killed run; a shell reports the same for one ended by the signal, as Python does after some."""
_SPAN = {Phase.STARTING: 0.8, Phase.EXTRACT: 0.15, Phase.NORMALIZE: 0.05, Phase.LOAD: 0.15, Phase.BETWEEN: 0.05}
"""About how long a phase takes, in seconds: the instant of a kill is drawn from this."""


@dataclass
class Toll:
    """What was done to the runs, and what it cost."""

    damage: Damage = field(default_factory=Damage)
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By phase and signal."""
    finished: int = 0
    """Runs that ended before the signal came."""
    lost_folders: int = 0
    restored: int = 0
    hangs: int = 0
    """Runs that had to be killed because they did not end."""


class Killer:
    """Kills the runs of one account, at instants drawn from a seed."""

    def __init__(
        self, account: Account, environment: dict[str, str], seed: int, kills_a_round: tuple[int, int] = (4, 8)
    ) -> None:
        self.toll = Toll()
        self._kills_a_round = kills_a_round
        self._account, self._random = account, Random(seed)  # noqa: S311 - must be reproducible
        self._phases = account.folder / "phase"
        self._data = account.folder / "dlt"
        self._environment = environment | {"CHAOS_PHASE": str(self._phases), "DLT_DATA_DIR": str(self._data)}
        self._copy = account.folder / "yesterday.duckdb"

    def rounds(self, kills: int) -> Iterator[Toll]:
        """Until so many runs were killed: some kills, a complete run, a comparison, and some days pass."""
        while sum(self.toll.kills.values()) < kills:
            if self._random.random() < 0.5:  # so that backfills of several packages are killed too
                self._account.path.unlink(missing_ok=True)
            for _ in range(self._random.randint(*self._kills_a_round)):
                self._kill()
                self._mishap()
            self._finish()
            self.toll.damage.compare(self._account)
            shutil.copy(self._account.path, self._copy)
            yield self.toll
            self._account.world.advance(days=self._random.randint(1, 9))
            change_some(self._account, self._random)

    def _kill(self) -> None:
        """Start a run and kill it somewhere."""
        random = self._random
        backfills = not self._account.path.exists()
        phase, number = random.choice(list(Phase)), random.randint(1, 4) if backfills else 1
        number = 1 if phase is Phase.STARTING else number
        how = random.choices(list(CODES), (6, 2, 2))[0]
        command = ["items"] if random.random() < 0.2 and self._account.path.exists() else ["sync"]
        self._phases.unlink(missing_ok=True)
        file, until = PhaseFile(self._phases), time.monotonic() + _MOST
        process = self._start(*command)
        try:
            while process.poll() is None and file.read() != (phase, number) and time.monotonic() < until:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.001)
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.random() * _SPAN[phase])
            if process.poll() is not None:
                self.toll.finished += 1
                self._expect(process, {0, 2, 3})  # 2: items before there was any sync
                return
            struck = file.read()
            process.send_signal(how)
            self._expect(process, {-how} if how is signal.SIGKILL else {CODES[how], -how, 0, 3}, _TOLD)
            self.toll.kills[struck[0].value if struck else Phase.STARTING.value, how.name] += 1
        finally:
            file.close()

    def _mishap(self) -> None:
        """Now and then lose the working folder, or restore the database to an older copy."""
        if self._random.random() < 0.15:
            shutil.rmtree(self._data, ignore_errors=True)
            self.toll.lost_folders += 1
        if self._random.random() < 0.1 and self._copy.exists():
            shutil.copy(self._copy, self._account.path)
            self._account.path.with_suffix(".duckdb.wal").unlink(missing_ok=True)
            self.toll.restored += 1

    def _finish(self) -> None:
        for command in (("sync",), ("items",)):
            self._expect(self._start(*command), {0})

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.chaos.victim", *arguments]
        here = Path(__file__).parent.parent.parent
        return subprocess.Popen(
            command,
            env=self._environment | {"PYTHONPATH": str(here)},
            cwd=self._account.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def _expect(self, process: subprocess.Popen[bytes], codes: set[int], most: float = _MOST) -> None:
        try:
            _, said = process.communicate(timeout=most)
        except subprocess.TimeoutExpired:
            self._hangs(process)
            return
        text = said.decode(errors="replace")
        if process.returncode not in codes or "Traceback" in text:
            self.toll.damage.wrong.append(f"{process.args!r} ended with {process.returncode}: {text[-2000:]}")
        if process.returncode in (130, 143) and "interrupted" not in text:
            self.toll.damage.wrong.append(f"{process.args!r} was interrupted and did not say so: {text[-500:]}")

    def _hangs(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a run that does not end: that is damage, reported with the stacks of its threads."""
        process.send_signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
        process.kill()
        _, said = process.communicate()
        self.toll.hangs += 1
        self.toll.damage.wrong.append(f"{process.args!r} did not end: {said.decode(errors='replace')[-5000:]}")

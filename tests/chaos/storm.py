"""Syncs and drains while a share of all requests goes wrong, compared with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from impact_sandbox import Faults
from impact_source.errors import ImpactError
from impact_sync.console.exits import Exit, exit_code

from tests.chaos.truth import Damage, change_some
from tests.support.account import Account

_RUNS = 50
"""The number of consecutive runs of which one must end well."""


@dataclass
class Weathered:
    """The faults thrown, and what they cost."""

    damage: Damage = field(default_factory=Damage)
    requests: int = 0
    thrown: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    """How runs ended, by exit code."""

    @property
    def repeated(self) -> int:
        """Requests that were sent again: only those that failed may be sent twice."""
        return sum(self.thrown.values())


def weather(account: Account, requests: int, faults: Faults) -> Iterator[Weathered]:
    """Until so many requests were sent: runs until a sync and a drain are done, a comparison, and some days pass."""
    found, random = Weathered(), Random(faults.seed)  # noqa: S311 - must be reproducible
    account.sandbox.faults = faults
    while found.requests < requests:
        if not any(attempt(account, found) for _ in range(_RUNS)):
            found.damage.wrong.append(f"{_RUNS} runs in a row did not end well")
        found.damage.compare(account)
        found.requests = len(account.sandbox.requests)
        found.thrown = Counter(account.sandbox.thrown)
        yield found
        account.world.advance(days=random.randint(1, 9))
        change_some(account, random)
        if random.random() < 0.3:
            account.path.unlink()


def attempt(account: Account, found: Weathered) -> bool:
    """A sync and a drain; returns whether both were done. Only an error of ours may stop a run."""
    try:
        codes = [account.sync().exit, account.drain().ended[0]]
    except ImpactError as error:
        codes = [exit_code(error)]
    found.runs.update(str(code.value) for code in codes)
    return all(code is Exit.DONE for code in codes) and len(codes) == 2

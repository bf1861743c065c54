"""Syncs and drains while the API behaves in undocumented ways, one after the other, compared with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.chaos.storm import Weathered, attempt
from tests.chaos.truth import change_some
from tests.support.account import CAMPAIGNS, Account

READINGS: dict[str, dict[str, Any]] = {
    "campaign list lacks one": {"unlisted": (CAMPAIGNS[1].id,)},
    "campaign list is empty": {"unlisted": tuple(campaign.id for campaign in CAMPAIGNS)},
    "replica lags": {"lagging_share": 0.2},
    "first clock 30 hours ahead": {"wrong_date_every": 1_000},
    "first clock 30 hours behind": {"wrong_date_every": 1_000, "wrong_date_seconds": -108_000},
    "bounds cut to seconds": {"precision": "second"},
    "bounds cut to minutes": {"precision": "minute"},
    "bounds cut to days": {"precision": "day"},
    "exclusive ends": {"exclusive_ends": True},
    "seconds, exclusive ends": {"precision": "second", "exclusive_ends": True},
}
_HEALS = frozenset({"lagging_share"})
"""A run cannot know better under these; a later one must."""
_RUNS = 5


@dataclass
class Read(Weathered):
    """The readings played, and what they cost."""

    played: Counter[str] = field(default_factory=Counter)


def read(account: Account, rounds: int, seed: int) -> Iterator[Read]:
    """So many rounds: a reading, changes, runs until a sync and a drain are done, a comparison; some days pass."""
    found, random, usual = Read(), Random(seed), account.world.rules  # noqa: S311 - must be reproducible
    names: list[str] = []
    for _ in range(rounds):
        if not names:
            names = random.sample(sorted(READINGS), len(READINGS))
        name = names.pop()
        found.played[name] += 1
        account.world.rules = replace(usual, **READINGS[name])
        _settle(account, found, name)
        if _HEALS & READINGS[name].keys():
            account.world.rules = usual
            _settle(account, found, f"after {name}")
        before = len(found.damage.wrong)
        found.damage.compare(account)
        found.damage.wrong[before:] = [f"{name}: {wrong}" for wrong in found.damage.wrong[before:]]
        account.world.rules = usual
        yield found
        account.world.advance(days=random.randint(1, 9))
        change_some(account, random)


def _settle(account: Account, found: Read, name: str) -> None:
    if not any(attempt(account, found) for _ in range(_RUNS)):
        found.damage.wrong.append(f"{name}: {_RUNS} runs in a row did not end well")

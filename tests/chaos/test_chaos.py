"""What breaks runs: kills at any instant, faults at any request. The long form is `make chaos`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from impact_sandbox import Faults, Rules

from tests.chaos.kills import Killer, Toll
from tests.chaos.storm import Weathered, weather
from tests.support.account import CAMPAIGNS, Account
from tests.support.commands import environment

Make = Callable[..., Account]


@pytest.mark.long
def test_runs_that_are_killed_anywhere_lose_and_double_nothing(account: Make) -> None:
    """Killed in any phase, by every kind of signal, with folders lost and copies restored: in the end all is true."""
    world = account(days=8, per_day=6, rules=Rules(duplicate_skus=0.3))
    # Without the change feed: with it a round takes longer, and `make chaos` kills that.
    few = {"SOURCES__IMPACT__ITEMS": "exact", "SOURCES__IMPACT__PACKAGE_ROWS": "30"}
    env = environment(world, SOURCES__IMPACT__REQUESTS_PER_HOUR="100000", **few)
    toll = Toll()
    for toll in Killer(world, env, seed=3, kills_a_round=(3, 3)).rounds(6):
        assert toll.damage.none, toll.damage
    assert sum(toll.kills.values()) >= 6
    assert toll.damage.checks >= 3


@pytest.mark.long
def test_runs_through_faults_end_true(account: Make) -> None:
    """With a fifth of all requests failing in every possible way, syncs and drains end true."""
    world = account(days=10, per_day=4, campaigns=CAMPAIGNS[:1])
    faults = Faults(0.2, seed=5, wait=0, slowly=0.05, hang=0.1, closed=0.05)
    found = Weathered()
    for found in weather(world, 100, faults):
        assert found.damage.none, found.damage
    assert sum(found.thrown.values()) > 10

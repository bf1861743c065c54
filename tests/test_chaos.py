"""What breaks runs: kills at any instant. The long form is `make chaos`."""

from __future__ import annotations

from collections.abc import Callable

from sources.impact_sandbox import Rules
from tests.chaos.kills import Killer, Toll
from tests.conftest import Account
from tests.test_cli import environment

Make = Callable[..., Account]


def test_runs_that_are_killed_anywhere_lose_and_double_nothing(account: Make) -> None:
    """Killed in every phase, by signals of all kinds, with folders lost and copies restored: in the end all is true."""
    world = account(days=12, per_day=10, rules=Rules(duplicate_skus=0.3))
    env = environment(world, SOURCES__IMPACT__PACKAGE_ROWS="60", SOURCES__IMPACT__REQUESTS_PER_HOUR="100000")
    toll = Toll()
    for toll in Killer(world, env, seed=3).rounds(8):
        assert not toll.wrong, toll.wrong
    assert sum(toll.kills.values()) >= 8
    assert toll.checks >= 3
    assert (toll.rows_lost, toll.rows_doubled) == (0, 0)

"""Applies that are killed at any step. The long form is `python -m tests.chaos.corrections`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from impact_sandbox import Campaign

from tests.chaos.corrections import Chaos, Count
from tests.support.account import Account


@pytest.mark.long
def test_an_apply_that_is_killed_anywhere_sends_nothing_twice(account: Callable[..., Account]) -> None:
    """Killed at every step, through faults, with databases restored: no call is received twice."""
    one = account(days=3, per_day=0, campaigns=(Campaign("1000", "Acme"),), requests_per_hour=10_000_000)
    count = Count()
    for count in Chaos(one, seed=2, rate=0.1, lines=5).rounds(8):
        assert count.wrong == []
    assert sum(count.kills.values()) >= 8
    assert count.most_sent == 1
    assert count.ended["confirmed"] > 0

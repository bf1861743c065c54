"""Accounts whose actions are corrected, and compared with orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from impact_sandbox import Rules

from tests.support.account import CAMPAIGNS, Account
from tests.support.desk import Desk


@pytest.fixture
def desk(account: Callable[..., Account]) -> Callable[..., Desk]:
    """Makes accounts without actions of their own: `desk(rules...)`."""

    def make(**rules: Any) -> Desk:  # noqa: ANN401 - the rules
        return Desk(account(days=3, per_day=0, campaigns=CAMPAIGNS[:1], rules=Rules(**rules)))

    return make

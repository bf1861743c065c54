"""The change feed as a table: every change of every action, each once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from impact_sandbox import Reply, Request
from impact_sync.console.exits import Exit

from tests.support.account import Account

Make = Callable[..., Account]


def changes(one: Account) -> dict[str, tuple[object, ...]]:
    with one.opened() as connection:
        sql = "select id, action_id, sku, delta_amount, delta_payout, quantity, update_date from impact.action_updates"
        return {row[0]: row[1:] for row in connection.execute(sql).fetchall()}


def test_each_change_is_held_once(account: Make) -> None:
    one = account(days=40, per_day=4)
    summary = one.sync(items="feed")
    assert summary.exit is Exit.DONE
    print(len(changes(one)), summary)

"""An action that the API does not know is gone only until it is met again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from impact_sandbox import Campaign
from impact_source.plan.gone import Gone
from impact_sync.console.exits import Exit
from impact_sync.verify.run import verify

from tests.support.account import Account

Make = Callable[..., Account]
ONE = (Campaign(id="1000", name="Acme"),)
FAR = "2026-12-31T00:00:00Z"
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def lag(one: Account, *ids: str, share: float = 0.0) -> None:
    """Let a replica lag from now on: it knows none of these actions."""
    one.world.rules = replace(one.world.rules, lagging=ids, lagging_share=share)


def found(one: Account, action_id: str) -> list[str]:
    """The findings about an action, in order."""
    sql = f"select finding from impact.verify_results where action_id = '{action_id}' order by found_at"
    return [row[0] for row in one.query(sql)]


def synced(account: Make) -> tuple[Account, str]:
    """An account that was synced, and one of its open actions, which no overlap covers."""
    one = account(days=10, per_day=2, campaigns=ONE)
    action_id = one.world.create(LockingDate=FAR, Amount="10.00")
    settings = {"start_date": one.world.now - timedelta(days=30)}
    one.first_sync(**settings)
    one.world.advance(days=3)
    one.sync()
    return one, action_id


def test_one_404_does_not_blind_an_action(account: Make) -> None:
    """A replica lags for one run, and the action is reversed the next day without a date: the next sync is true."""
    one, action_id = synced(account)
    lag(one, action_id)
    one.sync()
    assert found(one, action_id) == ["gone"]
    lag(one)
    one.world.advance(days=1)
    one.world.reverse(action_id, touches=False)
    one.sync()
    one.assert_true()
    assert found(one, action_id) == ["gone", "back"]


@pytest.mark.long
def test_an_action_that_is_gone_for_weeks_is_met_when_it_is_back(account: Make) -> None:
    """It is requested by id once a week, so even another EventDate does not hide it; findings are few meanwhile."""
    one, action_id = synced(account)
    lag(one, action_id)
    for _ in range(5):
        one.sync()
        one.world.advance(days=4)
    assert found(one, action_id) == ["gone"] * 3
    lag(one)
    one.world.modify(action_id, touches=False, EventDate="2019-01-01T00:00:00Z", LockingDate="", Amount="3.00")
    for _ in range(2):
        one.sync()
        one.world.advance(days=4)
    assert one.held()[action_id] == one.truth()[action_id]
    assert found(one, action_id) == ["gone"] * 3 + ["back"]


@pytest.mark.long
def test_many_that_are_gone_cost_few_requests(account: Make) -> None:
    """A hundred removed actions are requested by id once, then by a window or two."""
    one, action_id = synced(account)
    ids = [one.world.create(LockingDate=FAR, Amount="1.00") for _ in range(100)]
    one.sync()
    one.world.advance(days=3)
    one.sync()
    lag(one, action_id, *ids)
    one.sync()
    one.sandbox.requests.clear()
    one.sync()
    assert len(one.sandbox.requests) < 20


def test_gone_is_due_each_run_for_a_week_then_weekly() -> None:
    """The schedule, by itself."""
    for days, last, due in ((0, 0, True), (6, 0, True), (7, 0, True), (8, 7, False), (13, 7, False), (14, 7, True)):
        gone = Gone(THEN, THEN + timedelta(days=last))
        assert gone.is_due(THEN + timedelta(days=days)) is due, (days, last)


def test_verify_takes_back_what_it_acknowledged(account: Make) -> None:
    """An action that `verify --repair` acknowledged as gone is requested by id weekly, and verified once back."""
    one, action_id = synced(account)
    lag(one, action_id)
    assert verify(one.settings(), repair=True).exit is Exit.DONE
    one.sandbox.requests.clear()
    assert verify(one.settings()).exit is Exit.DONE
    assert not [r for r in one.sandbox.requests if r.path.endswith(action_id)], "it is acknowledged"
    one.world.advance(days=8)
    assert verify(one.settings()).exit is Exit.DONE
    assert [r for r in one.sandbox.requests if r.path.endswith(action_id)], "but looked at now and then"
    assert found(one, action_id) == ["gone", "gone"]
    lag(one)
    one.sync()
    assert found(one, action_id) == ["gone", "gone", "back"]
    lag(one, action_id)
    assert {d.action_id for d in verify(one.settings()).drift} == {action_id}, "gone once more is news"


def test_items_that_were_not_found_are_asked_for_again(account: Make) -> None:
    """A 404 from a lagging replica does not hide an action's items until the action changes."""
    one = account(days=3, per_day=2, campaigns=ONE)
    one.first_sync(start_date=one.world.now - timedelta(days=30))
    some = sorted(one.truth())[:2]
    lag(one, *some)
    one.drain()
    assert one.query("select count(*) from impact.item_fetches where status = 'not found'") == [(2,)]
    lag(one)
    one.item_requests()
    one.drain()
    assert sorted(one.item_requests()) == some
    one.assert_items_true()


@pytest.mark.long
def test_items_of_what_is_gone_for_good_are_asked_for_weekly(account: Make) -> None:
    """An action that the API no longer knows costs items one request per run for a week, then one a week."""
    one = account(days=3, per_day=2, campaigns=ONE)
    one.first_sync(start_date=one.world.now - timedelta(days=30))
    some = sorted(one.truth())[:1]
    lag(one, *some)
    asked = []
    for _ in range(7):
        one.item_requests()
        one.drain()
        asked.append(some[0] in one.item_requests())
        one.world.advance(days=3)
    assert asked == [True, True, True, True, False, False, True]

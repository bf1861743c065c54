"""Items: the queue, its drain, and the truth of what lands."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Account

Make = Callable[..., Account]


def test_draining_the_queue_makes_every_item_true_at_one_request_an_action(account: Make) -> None:
    """After `impact items` every item is there, for exactly one request an action, and then there is nothing to do."""
    world = account(days=20, per_day=10)
    world.sync()
    world.item_requests()
    summary = world.drain()
    asked = world.item_requests()
    assert sorted(asked) == sorted(world.truth())
    assert summary.ended[0] == 0
    assert summary.coverage.share == 1.0
    world.assert_items_true()
    world.sync()
    world.drain()
    assert world.item_requests() == []

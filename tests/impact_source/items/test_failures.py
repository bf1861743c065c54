"""Why items are requested again."""

from __future__ import annotations

from collections.abc import Callable

from impact_sandbox import Reply

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
ONE = (CAMPAIGNS[0],)
_STATES = "select action_id, items, failure from impact.item_state where items <> 'current' order by 1"
_FETCHES = "select action_id, status, failure, fingerprint like '%|%' from impact.item_fetches order by 1"


def test_the_reason_of_a_failure_is_kept_beside_the_fingerprint(account: Make) -> None:
    """A failure keeps the API's words until the items are read."""
    world = account(days=1, per_day=0, campaigns=ONE)
    action = world.world.create()
    refused = Reply(400, b'{"Message": "not today"}')
    world.sandbox.on_request = lambda request: refused if request.path.endswith("/Items") else None
    world.sync(items_max_requests=None)
    ((id_, status, failure, whole),) = world.query(_FETCHES)
    assert (id_, status, whole) == (action, "failed", True)
    assert failure.startswith("failed: ")
    assert "not today" in failure
    assert world.query(_STATES) == [(action, "outdated", failure)]
    world.sandbox.on_request = None
    world.sync(items_max_requests=None)
    assert world.query(_FETCHES) == [(action, "listed", None, True)]

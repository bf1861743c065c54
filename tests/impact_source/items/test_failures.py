"""Why items are requested again: in its own column, or as version 0.1.0 wrote it into the fingerprint."""

from __future__ import annotations

from collections.abc import Callable

from impact_sandbox import Reply
from impact_source.items.queue import ItemQueue
from impact_source.warehouse import Warehouse
from impact_sync.console.exits import Exit
from impact_sync.views import create_views
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
ONE = (CAMPAIGNS[0],)
_STATES = "select action_id, items, failure from impact.item_state where items <> 'current' order by 1"
_FETCHES = "select action_id, status, failure, fingerprint like '%|%' from impact.item_fetches order by 1"


def as_version_0_1_0(fingerprints: dict[str, str]) -> None:
    """Remove the column of failures from the warehouse, and write these fingerprints."""
    with open_pipeline() as pipeline:
        with pipeline.sql_client() as client:
            client.execute_sql("alter table item_fetches drop column failure")
            for action_id, text in fingerprints.items():
                client.execute_sql("update item_fetches set fingerprint = %s where action_id = %s", text, action_id)
        pipeline.schemas["impact"].tables["item_fetches"]["columns"].pop("failure")
        pipeline.sync_schema()
        create_views(pipeline)


def test_reasons_that_version_0_1_0_wrote_into_fingerprints_are_failures(account: Make) -> None:
    """Such rows are read correctly before anything is loaded, and afterwards the reason has its own column."""
    world = account(days=2, per_day=3, campaigns=ONE)
    world.first_sync(items_max_requests=None)
    first, second, *others = sorted(world.truth())
    old = {first: "updated before 2026-01-01T00:00:00+00:00", second: "failed 2026-01-01T00:00:00+00:00"}
    as_version_0_1_0(old)
    assert world.query(_STATES) == [(id_, "outdated", text) for id_, text in old.items()]
    with open_pipeline() as pipeline:
        assert ItemQueue(Warehouse(pipeline)).length(world.world.now) == 2
    world.item_requests()
    assert world.drain().ended[0] is Exit.DONE
    assert sorted(world.item_requests()) == [first, second]
    assert world.query(_FETCHES) == [(id_, "listed", None, True) for id_ in (first, second, *others)]
    assert world.query(_STATES) == []
    world.assert_items_true()


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

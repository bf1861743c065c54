"""Step 2: the reasons that release 0.1.0 wrote into fingerprints move to a column of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from impact_source.items.queue import ItemQueue
from impact_source.warehouse import Warehouse
from impact_sync.console.exits import Exit
from impact_sync.warehouse.migrations.migrate import TABLE
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
_FAILURES = "select action_id, failure, fingerprint from impact.item_fetches where failure is not null order by 1"
_LISTED = "select count(*) from impact.item_fetches where status = 'listed' and fingerprint like '%|%'"


def rows(sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query in the warehouse."""
    with open_pipeline() as pipeline, pipeline.sql_client() as client:
        return [tuple(row) for row in client.execute_sql(sql) or []]


def as_release_0_1_0(fingerprints: dict[str, str]) -> None:
    """Remove the column of failures and the version from the warehouse, and write these fingerprints."""
    with open_pipeline() as pipeline, pipeline.sql_client() as client:
        client.execute_sql("alter table item_fetches drop column failure cascade")
        client.execute_sql(f"drop table {TABLE}")
        for action_id, text in fingerprints.items():
            client.execute_sql("update item_fetches set fingerprint = %s where action_id = %s", text, action_id)
        pipeline.schemas["impact"].tables["item_fetches"]["columns"].pop("failure")
        pipeline.sync_schema()


def test_reasons_in_fingerprints_become_failures(account: Make, warehouse: str) -> None:
    """They have moved once the warehouse is opened, and the items of those actions alone are requested again."""
    one = account(days=2, per_day=3, campaigns=(CAMPAIGNS[0],))
    one.sync(items_max_requests=None)
    first, second, *others = sorted(one.truth())
    old = {first: "updated before 2026-01-01T00:00:00+00:00", second: "failed 2026-01-01T00:00:00+00:00"}
    as_release_0_1_0(old)
    for _ in range(2):
        assert rows(_FAILURES) == [(id_, text, None) for id_, text in old.items()], warehouse
    with open_pipeline() as pipeline:
        assert ItemQueue(Warehouse(pipeline)).length(one.world.now) == len(old)
    one.item_requests()
    assert one.drain().ended[0] is Exit.DONE
    assert sorted(one.item_requests()) == [first, second]
    assert rows(_FAILURES) == []
    assert rows(_LISTED) == [(len(old) + len(others),)]

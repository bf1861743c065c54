"""Which actions' items are requested, in which order, and how far they are known, without an API."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import dlt
import pyarrow as pa
import pytest
from impact_source.items.queue import STATE, Coverage, ItemQueue, Queued, state_sql
from impact_source.rows.columns import ACTION
from impact_source.rows.landing import Landing
from impact_source.rows.ours import FETCH_TABLE
from impact_source.warehouse import Warehouse

from tests.support.landings import batch, load
from tests.support.plans import DAY, NOW, SECOND

LOCKED = (NOW - DAY).isoformat()
Row = dict[str, Any]


def fetched(id_: str, status: str = "listed", *, at: datetime = NOW + DAY, **columns: object) -> Row:
    """A row of `item_fetches`: read a day after the action changed, unless `at` says otherwise."""
    return {"action_id": id_, "fetched_at": at, "fingerprint": "as it was|", "status": status} | columns


def queue(pipeline: dlt.Pipeline, actions: list[dict[str, str]], fetches: list[Row], *campaigns: str) -> ItemQueue:
    """The queue of these actions, which were last written a second after noon, and of what was read of their items."""
    rows = pa.Table.from_pylist(fetches, FETCH_TABLE)
    load(pipeline, Landing(actions=batch(*actions).records.table, fetches=rows))
    return ItemQueue(Warehouse(pipeline), campaigns)


def ids(queued: list[Queued]) -> list[str]:
    """Their actions."""
    return [one.action_id for one in queued]


def test_the_queue_has_an_order(pipeline: dlt.Pipeline) -> None:
    """Wrong before missing, what can still change before what is final, failures and unknown actions last."""
    names = ["unknown", "failed", "locked", "locked and outdated", "open", "open and outdated", "current"]
    actions = [{"Id": name} | ({"LockingDate": LOCKED} if "locked" in name else {}) for name in names]
    fetches = [
        fetched("open and outdated", at=NOW),
        fetched("locked and outdated", at=NOW),
        fetched("failed", "failed", failure="503"),
        fetched("unknown", "not found"),
        fetched("current"),
    ]
    found = queue(pipeline, actions, fetches)
    expected = ["open and outdated", "open", "locked and outdated", "locked", "failed", "unknown"]
    assert ids(found.take(10, NOW)) == expected
    assert ids(found.take(2, NOW)) == expected[:2]
    assert ids(found.take(1, NOW)) == expected[:1]
    assert found.take(0, NOW) == []
    assert found.length(NOW) == 6


def test_of_equal_rank_the_larger_amount_comes_first(pipeline: dlt.Pipeline) -> None:
    """Whatever its sign; then the latest event, then the id."""
    actions = [
        {"Id": "b", "Amount": "10"},
        {"Id": "a", "Amount": "10"},
        {"Id": "negative", "Amount": "-20"},
        {"Id": "later", "Amount": "10", "EventDate": NOW.isoformat()},
        {"Id": "none"},
    ]
    assert ids(queue(pipeline, actions, []).take(9, NOW)) == ["negative", "later", "a", "b", "none"]


def test_what_is_queued_says_what_the_warehouse_held(pipeline: dlt.Pipeline) -> None:
    """Its campaign, its amounts, how requesting it ended, and the last row of `item_fetches`."""
    actions = [
        {"Id": "1", "CampaignId": "7", "Amount": "3", "Payout": "1", "Currency": "EUR"},
        {"Id": "2", "Payout": ""},
        {"Id": "3", "Payout": ""},
    ]
    fetches = [fetched("2", "rejected", failure="why"), fetched("3", at=NOW)]
    one, two, three = sorted(queue(pipeline, actions, fetches).take(9, NOW), key=lambda queued: queued.action_id)
    assert (one.campaign_id, one.status, one.was) == ("7", None, "")
    assert [Decimal(part or 0) for part in one.fingerprint.split("|")[:-1]] == [3, 0, 1, 0]
    assert one.fingerprint.split("|")[-1] == "EUR"
    assert (two.campaign_id, two.status, two.fingerprint) == ("1000", "rejected", "||||USD")
    assert two.was.endswith(" why")
    assert str((NOW + DAY).date()) in two.was
    assert three.was.endswith(" as it was|"), "without a failure, the amounts that were known"


@pytest.mark.parametrize(
    ("after", "waits"),
    [(timedelta(0), True), (7 * DAY, True), (7 * DAY + 2 * SECOND, False)],
    ids=["at once", "within some days", "later"],
)
def test_an_unknown_action_is_requested_for_some_days(
    pipeline: dlt.Pipeline,
    after: timedelta,
    waits: bool,  # noqa: FBT001 - the expected value
) -> None:
    """By every run for seven days after it changed, then every seven days."""
    at = NOW + after
    found = queue(pipeline, [{}], [fetched("1", "not found", at=at)])
    assert found.length(at) == len(found.take(9, at)) == waits
    for late, then in ((7 * DAY, waits), (7 * DAY + SECOND, True)):
        assert found.length(at + late) == len(found.take(9, at + late)) == then


def test_a_queue_of_some_campaigns_knows_no_other(pipeline: dlt.Pipeline) -> None:
    """Neither its order nor its length nor its coverage."""
    actions = [{"Id": id_, "CampaignId": id_, "Amount": id_} for id_ in ("1", "2", "3", "4")]
    of_all = queue(pipeline, actions, [fetched("4")])
    assert ids(of_all.take(9, NOW)) == ["3", "2", "1"]
    of_two = ItemQueue(Warehouse(pipeline), iter(["1", "3", "4"]))
    assert ids(of_two.take(9, NOW)) == ["3", "1"]
    assert of_two.length(NOW) == 2
    coverage = of_two.coverage()
    assert (coverage.current, coverage.missing) == (1, 2)
    assert coverage.amounts == {"USD": (Decimal(8), Decimal(4))}


def test_coverage_counts_actions_and_amounts(pipeline: dlt.Pipeline) -> None:
    """By state and by currency; actions that the API does not know count neither as known nor as waiting."""
    actions = [
        {"Id": "current", "Amount": "10"},
        {"Id": "current too", "Amount": "5"},
        {"Id": "outdated", "Amount": "20"},
        {"Id": "missing", "Amount": "40"},
        {"Id": "missing too", "Currency": "EUR", "Amount": "2"},
        {"Id": "no amount", "Currency": "GBP"},
        {"Id": "no currency", "Currency": "", "Amount": "7"},
        {"Id": "no currency, missing", "Currency": "", "Amount": "21"},
        {"Id": "unknown", "Amount": "100"},
    ]
    fetches = [
        *map(fetched, ("current", "current too", "no currency")),
        fetched("outdated", at=NOW),
        fetched("unknown", "not found"),
    ]
    found = queue(pipeline, actions, fetches).coverage()
    assert (found.current, found.outdated, found.missing, found.not_found) == (3, 1, 4, 1)
    assert (found.actions, found.waiting, found.share) == (9, 5, 3 / 8)
    assert found.amounts == {
        "USD": (Decimal(75), Decimal(15)),
        "EUR": (Decimal(2), Decimal(0)),
        "GBP": (Decimal(0), Decimal(0)),
        "": (Decimal(28), Decimal(7)),
    }
    assert found.amount_shares == {"": 0.25, "EUR": 0.0, "USD": 0.2}


def test_where_the_api_knows_no_action_no_items_are_said_to_be_known(pipeline: dlt.Pipeline) -> None:
    """Nothing is left to read, and neither the feed nor lists have told anything."""
    found = queue(pipeline, [{}], [fetched("1", "not found")]).coverage()
    assert (found.actions, found.waiting) == (1, 0)
    assert (found.share, found.derived_share, found.listed_share) == (1.0, 0.0, 0.0)


def test_before_the_first_sync_nothing_waits(pipeline: dlt.Pipeline) -> None:
    """Neither a warehouse without tables nor one without `item_fetches` has a queue."""
    for found in (ItemQueue(Warehouse(pipeline)), _without_fetches(pipeline)):
        assert found.take(9, NOW) == []
        assert found.length(NOW) == 0
        assert found.coverage() == Coverage()
    assert Coverage().share == 1.0


def _without_fetches(pipeline: dlt.Pipeline) -> ItemQueue:
    load(pipeline, Landing(actions=batch({}).records.table))
    return ItemQueue(Warehouse(pipeline))


def test_a_warehouse_of_version_0_1_0_has_no_failures(pipeline: dlt.Pipeline) -> None:
    """Its `item_fetches` lacks the column, which is NULL there; no column is lacking elsewhere."""
    old = FETCH_TABLE.remove(FETCH_TABLE.get_field_index("failure"))
    rows = pa.Table.from_pylist([fetched("1", fingerprint="rejected")], old)
    pipeline.run(
        [
            dlt.resource([batch({}).records.table], name="actions", primary_key="id"),
            dlt.resource([rows], name="item_fetches"),
        ],
        schema=dlt.Schema("impact"),
    )
    warehouse = Warehouse(pipeline)
    assert "f.failure" not in state_sql(warehouse)
    (queued,) = ItemQueue(warehouse).take(9, NOW)
    assert queued.was.endswith(" rejected"), "it wrote the failure where the amounts are otherwise"
    assert {column.name for column in ACTION} <= warehouse.columns("actions")


def test_the_state_is_read_with_failures_and_feeds(pipeline: dlt.Pipeline) -> None:
    """As they are in every warehouse of ours; before the first sync of this version there are no feeds."""
    queue(pipeline, [{}], [fetched("1", failure="503")])
    assert "f.failure" in state_sql(Warehouse(pipeline))
    load(pipeline, Landing(declared=True))
    assert state_sql(Warehouse(pipeline)) == STATE


def test_what_a_contradicted_feed_says_is_out_of_date(pipeline: dlt.Pipeline) -> None:
    """What was derived from it waits for its list; what a feed that is not contradicted says waits last of all."""
    fetches = [fetched(id_, status="derived", changes=1) for id_ in ("1", "2")] + [fetched("3")]
    actions = [{"Id": "1"}, {"Id": "2", "CampaignId": "2000"}, {"Id": "3"}]
    waiting = queue(pipeline, actions, fetches)
    load(pipeline, Landing(feeds=[{"campaign_id": "2000", "status": "contradicted"}]))
    waiting = ItemQueue(Warehouse(pipeline))
    assert ids(waiting.take(9, NOW)) == ["2", "1"]
    coverage = waiting.coverage()
    assert (coverage.current, coverage.derived, coverage.outdated) == (2, 1, 1)

"""Items from the change feed: all of them with a few requests, and none that a list of items would contradict."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dlt
import pytest
from impact_sandbox import Reply, Request, Rules
from impact_source import ItemAsk, ItemWalk, impact, impact_items
from impact_source.api.client import Client
from impact_source.campaigns import list_campaigns
from impact_source.items.feed.derive import FeedItems
from impact_source.warehouse import Warehouse
from impact_sync.console.exits import Exit
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
TOLD = ("category", "quantity", "sale_amount", "payout", "sale_amount_currency", "payout_currency")
"""What the feed says of an item."""


def known(one: Account) -> dict[str, str]:
    """What says the items of each action whose items are current: feed or list."""
    with one.opened() as connection:
        sql = "select action_id, known_by from impact.item_state where items = 'current'"
        return dict(connection.execute(sql).fetchall())


def feeds(one: Account) -> dict[str, tuple[Any, ...]]:
    """Status, reading of quantities and of removed items, and what contradicts the feed, by campaign."""
    with one.opened() as connection:
        sql = "select campaign_id, status, quantity, removed, example from impact.item_feeds"
        return {row[0]: row[1:] for row in connection.execute(sql).fetchall()}


def share_of_told(one: Account, *, whole: bool = True) -> tuple[float, float]:
    """The shares of actions whose items are known, and known by the feed alone; all that is known must be true.

    Unless `whole`, of lists too only what the feed says: of a change that is taken back without a trace, they keep one.
    """
    by, held, truth = known(one), one.held_items(), one.item_truth()
    for key in {key for key in held.keys() | truth.keys() if key[0] in by}:
        here, there = held.get(key), truth.get(key)
        assert here, (key, "is missing", there)
        assert there, (key, "is not listed", here)
        columns = there if whole and here["known_by"] == "list" else TOLD
        assert {name: here[name] for name in columns} == {name: there[name] for name in columns}
    actions = len(one.truth())
    return len(by) / actions, list(by.values()).count("feed") / actions


def weeks(one: Account, number: int, *, most: int = 8) -> list[tuple[float, float]]:
    """A first sync, and one after each further week: the shares that are known after each."""
    found = []
    for week in range(number):
        summary = one.sync(items="feed", items_max_requests=30 * len(one.world.campaigns) if not week else most)
        assert summary.exit is Exit.DONE
        found.append(share_of_told(one))
        one.world.advance(days=7)
    return found


def test_all_items_are_known_with_a_few_requests(account: Make) -> None:
    """A first sync requests the lists of some thirty actions a campaign and derives the items of all the others."""
    one = account(days=60, per_day=8)
    one.sandbox.requests.clear()
    actions = len(one.truth())
    assert weeks(one, 1) == [(1.0, 1 - 60 / actions)]
    assert {feed[:3] for feed in feeds(one).values()} == {("proven", "latest", "gone")}
    assert len(one.item_requests()) == 60


READINGS: list[tuple[dict[str, Any], float, tuple[str, str, str]]] = [
    ({"feed_quantity": "delta"}, 1.0, ("proven", "moved", "gone")),
    ({"duplicate_skus": 0.5, "odd_items": 0.3, "feed_turns": "order"}, 0.4, ("proven", "latest", "gone")),
    ({"feed_lag": 3_600, "visibility_lag": 3_600, "feed_removed": "last"}, 0.97, ("proven", "latest", "either")),
]
MORE: list[tuple[dict[str, Any], float, tuple[str, str, str]]] = [
    ({"feed_approvals": True}, 1.0, ("proven", "latest", "gone")),
    ({"feed_restorations": False}, 0.99, ("proven", "latest", "gone")),
    ({"feed_turns": "order"}, 0.93, ("proven", "latest", "gone")),
    ({"feed_removed": "last"}, 0.97, ("proven", "latest", "either")),
    ({"feed_lag": 3_600, "visibility_lag": 3_600}, 1.0, ("proven", "latest", "gone")),
    ({"duplicate_skus": 0.5}, 0.6, ("proven", "latest", "gone")),
    ({"duplicate_skus": 0.5, "feed_twins": "together"}, 1.0, ("proven", "latest", "gone")),
    ({"feed_keeps_days": 30}, 0.45, ("proven", "latest", "gone")),
    ({"feed_odd_deltas": 0.2}, 0.7, ("proven", "latest", "gone")),
    ({"feed_adds_items": 0.2}, 0.7, ("proven", "latest", "gone")),
    ({"odd_items": 0.3}, 0.6, ("proven", "latest", "gone")),
    ({"wire": "typed"}, 1.0, ("proven", "latest", "gone")),
    ({"reversal_touches": False}, 1.0, ("proven", "latest", "gone")),
]
USELESS: list[tuple[dict[str, Any], str, str]] = [
    ({"feed_rows": "order"}, "unproven", "its changes name no Sku"),
    ({"feed_odd_deltas": 1.0}, "unproven", "its changes add up to the amounts of no action"),
    ({"feed_renames_items": 0.2}, "contradicted", "PARENT-"),
    ({"feed_lacks_items": 0.2}, "contradicted", "the list says"),
]


@pytest.mark.parametrize(
    ("rules", "least", "feed"),
    [*READINGS, *(pytest.param(*reading, marks=pytest.mark.long) for reading in MORE)],
    ids=lambda value: str(value)[:40],
)
def test_whatever_the_feed_shows_nothing_derived_is_wrong(
    account: Make, rules: dict[str, Any], least: float, feed: tuple[str, str, str]
) -> None:
    """Actions that the feed tells completely are known at once; the others wait for their lists, never wrong."""
    one = account(days=60, per_day=6, campaigns=CAMPAIGNS[:1], rules=Rules(**rules))
    assert weeks(one, 3)[-1][0] >= least
    assert feeds(one)["1000"][:3] == feed


@pytest.mark.parametrize(("rules", "status", "why"), USELESS, ids=lambda value: str(value)[:40])
def test_a_feed_that_lists_contradict_is_not_used(account: Make, rules: dict[str, Any], status: str, why: str) -> None:
    """Where the feed names no items, or others than the lists, items come from lists only, and the reason is kept."""
    one = account(days=60, per_day=6, campaigns=CAMPAIGNS[:1], rules=Rules(**rules))
    assert {told for _, told in weeks(one, 2)} == {0.0}
    found, *_, example = feeds(one)["1000"]
    assert found == status
    assert why in example
    one.sync(items="feed", items_max_requests=None)
    one.assert_items_true()


def small(account: Make, **world: Any) -> Account:  # noqa: ANN401 - the world's options
    """An account whose feed is proven, with one action of two items made by hand: `hand(one)`."""
    one = account(**({"days": 30, "per_day": 4, "campaigns": CAMPAIGNS[:1]} | world))
    items = [
        {"Sku": "A", "SaleAmount": "10.00", "Payout": "1.00"},
        {"Sku": "B", "SaleAmount": "20.00", "Payout": "2.00"},
    ]
    one.world.create(Id="1000.4636.999", LockingDate="", items=items)
    assert one.sync(items="feed", items_max_requests=30).exit is Exit.DONE
    assert feeds(one)["1000"][0] == "proven"
    return one


def hand(one: Account) -> dict[str, dict[str, object]]:
    """The items held of the action made by hand, by Sku."""
    return {sku: item for (action_id, sku), item in one.held_items().items() if action_id == "1000.4636.999"}


def test_items_follow_the_feed_until_their_list_is_read(account: Make) -> None:
    """A change that the feed shows is there at once, with the names that are known; the list then completes it."""
    one = small(account)
    one.sync(items="feed", items_max_requests=None)
    one.assert_items_true()
    assert {item["known_by"] for item in hand(one).values()} == {"list"}
    one.world.advance(hours=3)
    one.world.set_item("1000.4636.999", "A", SaleAmount="7.50", Payout="0.75")
    one.sync(items="feed")
    changed = hand(one)["A"]
    assert {name: str(changed[name]) for name in ("known_by", "sale_amount", "payout")} == {
        "known_by": "feed",
        "sale_amount": "7.50000000",
        "payout": "0.75000000",
    }
    assert changed["item_name"] is not None
    one.sync(items="feed", items_max_requests=None)
    one.assert_items_true()
    assert {item["known_by"] for item in hand(one).values()} == {"list"}


def test_an_older_feed_does_not_replace_a_list(account: Make) -> None:
    """A list that was read after the last change stays, with all that only lists say, though the feed is read again."""
    one = small(account)
    one.sync(items="feed", items_max_requests=None)
    before = one.held_items()
    for _ in range(2):
        one.world.advance(hours=1)
        one.sync(items="feed")
    assert {key: item for key, item in one.held_items().items() if key in before} == before


def test_an_update_that_moves_no_amount_is_seen(account: Make) -> None:
    """An item that is exchanged for another at the same price is so here too after the next sync, without a request."""
    one = small(account)
    one.world.advance(hours=3)
    one.world.remove_item("1000.4636.999", "B")
    one.world.set_item("1000.4636.999", "C", SaleAmount="20.00", Payout="2.00")
    one.sync(items="feed")
    assert hand(one).keys() == {"A", "C"}
    assert share_of_told(one)[0] == 1.0


def test_a_change_that_becomes_visible_late_queues_the_list(account: Make) -> None:
    """A list read while a change was not visible yet is read again once the feed shows it, though no amount differs."""
    rules = Rules(feed_rows="order", visibility_lag=1_800)  # nothing is derived from such a feed
    one = account(days=10, per_day=2, campaigns=CAMPAIGNS[:1], rules=rules)
    action = one.world.create(LockingDate="", items=[{"Sku": "A", "SaleAmount": "10.00", "Payout": "1.00"}])
    one.world.advance(hours=2)
    one.sync(items="feed", items_max_requests=None)
    one.world.set_item(action, "A", touches=False, Quantity="9", SaleAmount="9.00", Payout="0.90")
    one.world.set_item(action, "A", touches=False, Quantity="9", SaleAmount="10.00", Payout="1.00")
    one.sync(items="feed", items_max_requests=None)
    one.world.advance(hours=1)
    one.sync(items="feed", items_max_requests=None)
    one.assert_items_true()


def test_a_contradiction_turns_the_feed_off(account: Make) -> None:
    """One list that says otherwise, and all that was derived waits for its list; no later run takes that back."""
    one = small(account)
    one.world.rules = replace(one.world.rules, feed_renames_items=1.0)
    one.world.advance(hours=3)
    one.world.create(LockingDate="", items=[{"Sku": "Z", "SaleAmount": "5.00", "Payout": "0.50"}])
    one.sync(items="feed", items_max_requests=3)
    one.world.advance(hours=3)
    one.sync(items="feed", items_max_requests=3)
    status, *_, example = feeds(one)["1000"]
    assert status == "contradicted"
    assert re.search(r"the list says \d x (\S+) for .*, the change feed \d x PARENT-\1 for", example)
    assert set(known(one).values()) == {"list"}
    one.sync(items="feed", items_max_requests=None)
    one.assert_items_true()
    assert feeds(one)["1000"][0] == "contradicted"


@pytest.mark.parametrize("status", [403, 404])
def test_an_account_without_the_feed_loses_nothing(account: Make, status: int) -> None:
    """Where the token may not read the feed every item comes from its list; the feed is used as soon as it may be."""
    one = account(days=30, per_day=4, campaigns=CAMPAIGNS[:1])

    def refuse(request: Request) -> Reply | None:
        return Reply(status) if request.path.endswith("/ActionUpdates") else None

    one.sandbox.on_request = refuse
    for _ in range(2):
        summary = one.sync(items="feed", items_max_requests=None)
        assert summary.exit is Exit.DONE
        assert summary.left_out == 0
        one.assert_items_true()
        assert feeds(one)["1000"][0] == "refused"
        one.world.advance(days=1)
    one.sandbox.on_request = None
    one.world.advance(days=1)
    one.sync(items="feed", items_max_requests=3)
    assert feeds(one)["1000"][0] == "proven"
    assert share_of_told(one)[0] == 1.0


def test_a_daily_sync_spends_one_request_on_the_feed(account: Make) -> None:
    """After the first sync, a day costs one request of the feed and three lists for each campaign."""
    one = account(days=40, per_day=8)
    weeks(one, 1)
    one.sync(items="feed", items_max_requests=None)
    one.world.advance(days=1)
    one.sandbox.requests.clear()
    one.sync(items="feed", items_max_requests=6)
    assert sum(request.path.endswith("/ActionUpdates") for request in one.sandbox.requests) == 2
    assert len(one.item_requests()) == 6
    assert share_of_told(one)[0] == 1.0


def test_a_campaign_without_actions_has_no_feed_to_read(account: Make) -> None:
    """A quiet campaign costs no request of the feed before its first action; then its items are derived like others."""
    quiet = replace(CAMPAIGNS[1], share=0.0)
    one = account(days=40, per_day=8, campaigns=(CAMPAIGNS[0], quiet))
    weeks(one, 1, most=30)
    asked = {r.query["CampaignId"] for r in one.sandbox.requests if r.path.endswith("/ActionUpdates")}
    assert asked == {"1000"}
    action_id = one.world.create(quiet.id, items=[{"Sku": "A", "SaleAmount": "10.00", "Payout": "1.00"}])
    one.sync(items="feed", items_max_requests=30)
    assert action_id in known(one)
    assert feeds(one)[quiet.id][0] == "proven"
    assert share_of_told(one)[0] == 1.0


def test_items_are_derived_on_any_warehouse(account: Make, warehouse: str) -> None:
    """On DuckDB and on Postgres the same items are derived, and followed by the next change."""
    one = account(days=20, per_day=4, campaigns=CAMPAIGNS[:1], rules=Rules(odd_items=0.2))
    for _ in range(2):
        summary = one.sync(items="feed", items_max_requests=30)
        assert summary.exit is Exit.DONE
        assert summary.items is not None
        assert summary.items.coverage.derived > 0
        if warehouse == "duckdb":
            assert share_of_told(one)[0] > 0.7
        one.world.advance(days=7)


@pytest.mark.parametrize("packages", [1, 2, 3, 4])
def test_a_run_that_is_killed_while_it_derives_loses_nothing(account: Make, packages: int) -> None:
    """After any of its load packages: what looks known is true, and the next run derives the rest."""
    one = account(days=20, per_day=4, campaigns=CAMPAIGNS[:1])
    one.sync()
    settings = one.settings(items="feed", items_max_requests=30)
    one.sync(items="feed")
    with open_pipeline() as pipeline, Client(settings) as client:
        list_campaigns(client)
        ask = ItemAsk(max_requests=30)
        with ItemWalk(client, Warehouse(pipeline), "killed", ask) as walk:
            for _ in range(packages):
                pipeline.run(impact_items(walk=walk))
    share_of_told(one)
    one.world.advance(hours=1)
    one.sync(items="feed", items_max_requests=30)
    assert share_of_told(one)[0] == 1.0


def test_a_campaign_is_derived_in_parts(account: Make) -> None:
    """However many changes are added up at once, the same items come out, each once."""
    one = small(account)
    found = []
    with open_pipeline() as pipeline:
        warehouse = Warehouse(pipeline)
        warehouse.rows("delete from item_fetches")
        for rows_a_part in (1_000_000, 20):
            items = FeedItems(warehouse, rows_a_part=rows_a_part)
            items.read()
            items.feeds = {id_: replace(feed, checked_at=None) for id_, feed in items.feeds.items()}
            items._before.clear()  # noqa: SLF001 - as if nothing had been derived yet
            landings = list(items.derive(one.world.now))
            fetches = [landing.fetches for landing in landings if landing.fetches is not None]
            found.append(sorted(id_ for rows in fetches for id_ in rows["action_id"].to_pylist()))
    assert len(landings) > 5
    assert found[0] == found[1]
    assert len(set(found[1])) == len(found[1]) > 100


def test_the_source_alone_derives_items(account: Make) -> None:
    """In a dlt pipeline of one's own the lists of the first run prove the feed, and the second run derives the rest."""
    one = account(days=20, per_day=4, campaigns=CAMPAIGNS[:1])
    settings = one.settings(items="feed", items_max_requests=30)
    pipeline = dlt.pipeline("own", destination=dlt.destinations.duckdb(str(one.path)), dataset_name="impact")
    pipeline.run(impact(settings))
    pipeline.run(impact_items(settings))
    assert feeds(one)["1000"][0] == "unproven"
    pipeline.run(impact_items(settings))
    assert feeds(one)["1000"][0] == "proven"
    held = one.held_items()
    assert {item["known_by"] for item in held.values()} == {"feed", "list"}
    assert held.keys() == one.item_truth().keys()


@pytest.mark.long
def test_twelve_weeks_with_items_from_the_feed(account: Make) -> None:
    """After each of twelve weekly syncs all items that are known are true, and nearly all are known."""
    one = account(days=60, per_day=6, rules=Rules(feed_lag=3_600, visibility_lag=3_600, odd_items=0.05))
    assert min(share for share, _ in weeks(one, 12)) >= 0.94

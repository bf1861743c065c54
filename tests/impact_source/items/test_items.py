"""Items as they land: all of them, every later change, whatever the API sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from impact_sandbox import Reply, Request, Rules
from impact_source import Ask, impact_items
from impact_source.api.client import Client
from impact_source.items import run as items
from impact_source.warehouse import Warehouse
from impact_sync.console.exits import Exit
from impact_sync.items.run import kept_answers
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
ONE = (CAMPAIGNS[0],)


def with_items(world: Account, *skus: str, **fields: Any) -> str:  # noqa: ANN401 - any field
    """An action recorded now with just these items."""
    action = world.world.create(**fields)
    first = world.world.item_truth(action).to_pylist()[0]["Sku"]
    for sku in skus:
        world.world.set_item(action, sku, SaleAmount="10.00", Payout="1.00")
    if first not in skus:
        world.world.remove_item(action, first)
    return action


def reply_to_items(world: Account, action: str, reply: Reply | None) -> None:
    """Have the sandbox answer like this when this action's items are requested; None for its own answer again."""

    def hook(request: Request) -> Reply | None:
        return reply if request.path.endswith(f"/{action}/Items") else None

    world.sandbox.on_request = hook if reply else None


def test_draining_the_queue_makes_every_item_true_at_one_request_an_action(account: Make) -> None:
    """After `impact items` every item is there, for exactly one request per action, and then there is nothing to do."""
    world = account(days=10, per_day=4)
    world.first_sync()
    world.item_requests()
    summary = world.drain()
    assert sorted(world.item_requests()) == sorted(world.truth())
    assert summary.ended[0] is Exit.DONE
    assert summary.coverage.share == 1.0
    world.assert_items_true()
    world.sync(items_max_requests=None)
    assert world.item_requests() == []


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Rules(wire="typed", items_key="Items", single_as_object=True), marks=pytest.mark.long),
        Rules(duplicate_skus=0.9, null_bodies=50, visibility_lag=600),
    ],
    ids=["typed numbers, another key, bare objects", "a Sku listed twice, null bodies, late rows"],
)
def test_items_are_true_however_the_api_sends_them(account: Make, rules: Rules) -> None:
    """Items are read correctly in every form that the API has been seen to send."""
    world = account(days=10, per_day=4, rules=rules)
    world.first_sync(items_max_requests=None)
    world.assert_items_true()
    if rules.duplicate_skus:
        assert world.query("select max(line_count) from impact.action_items") == [(2,)]


def test_fields_that_no_document_names_become_columns(account: Make) -> None:
    """A new field of items lands in its own column."""
    world = account(days=10, per_day=2)
    world.world.rules = Rules(unknown_fields=world.world.now)
    world.first_sync(items_max_requests=None)
    world.assert_items_true()


def test_an_action_that_only_changed_its_state_is_not_asked_for_again(account: Make) -> None:
    """Approvals and payments, which leave items alone, cost no item request."""
    world = account(days=30, per_day=4, campaigns=ONE)
    world.first_sync(items_max_requests=None)
    before = world.held()
    world.world.advance(days=30)
    world.sync()
    after = world.held()
    changed = {i for i, row in after.items() if i in before and row["state"] != before[i]["state"] == "PENDING"}
    approved = {i for i in changed if after[i]["state"] == "APPROVED"}
    assert len(approved) > 30
    world.item_requests()
    world.drain()
    asked = world.item_requests()
    same = {i for i in approved if after[i]["amount"] == before[i]["amount"]}
    # Some of these were also corrected, and back again: what the API dates as updated is requested.
    assert len(same.intersection(asked)) < len(same) / 4
    world.assert_items_true()


def test_a_change_that_moves_no_field_of_the_action_is_noticed(account: Make) -> None:
    """A new category or quantity alone changes nothing about the action except that it was updated: that is enough."""
    world = account(days=10, per_day=2, campaigns=ONE)
    action = with_items(world, "A1", "A2")
    world.first_sync(items_max_requests=None)
    stamps = dict(world.query(f"select sku, synced_at from impact.action_items where action_id = '{action}'"))
    world.world.advance(hours=30)
    world.world.set_item(action, "A1", Category="Garden", Quantity="7")
    before = world.held()[action]
    world.sync()
    assert world.held()[action] == before
    world.item_requests()
    world.drain()
    assert action in world.item_requests()
    world.assert_items_true()
    after = dict(world.query(f"select sku, synced_at from impact.action_items where action_id = '{action}'"))
    assert after["A1"] > stamps["A1"]
    assert after["A2"] == stamps["A2"], "an item that did not change keeps its synced_at"


@pytest.mark.long
def test_a_change_in_a_run_without_items_is_still_known_later(account: Make) -> None:
    """The run that saw the update records whose items are out of date, though it read no items itself."""
    world = account(days=10, per_day=2, campaigns=ONE)
    action = with_items(world, "A1")
    world.first_sync(items_max_requests=None)
    world.world.advance(days=3)
    world.world.set_item(action, "A1", Category="Garden")
    for _ in range(3):
        world.sync()
        world.world.advance(days=3)
    world.item_requests()
    world.sync(items_max_requests=None)
    assert action in world.item_requests()
    world.assert_items_true()


def test_items_that_are_gone_there_are_gone_here(account: Make) -> None:
    """What the API no longer lists leaves the table; an action left without items has none."""
    world = account(days=5, per_day=2, campaigns=ONE)
    some, all_ = with_items(world, "A1", "A2"), with_items(world, "B1", "B2")
    world.first_sync(items_max_requests=None)
    world.world.remove_item(some, "A2")
    for sku in ("B1", "B2"):
        world.world.remove_item(all_, sku)
    world.world.advance(hours=1)
    world.sync(items_max_requests=None)
    world.assert_items_true()
    assert {key for key in world.held_items() if key[0] in (some, all_)} == {(some, "A1")}
    world.world.set_item(all_, "B3", SaleAmount="3.00")
    world.world.advance(hours=1)
    world.sync(items_max_requests=None)
    world.assert_items_true()


def test_any_sku_and_action_id_can_be_asked_for(account: Make) -> None:
    """Slashes, spaces, quotes and signs in ids and Skus are data; an item without a Sku has the empty one."""
    world = account(days=3, per_day=0, campaigns=ONE)
    for action in ("1000.4636.1/2 3", "1000.4636.100%'\"?&#"):
        with_items(world, "a/b c%20", "'; drop table actions; --", "", "ä#?", Id=action)
    world.first_sync(items_max_requests=None)
    world.assert_items_true()
    assert len(world.held_items()) == 8


def test_an_action_that_the_api_does_not_know_is_noted_and_left_alone(account: Make) -> None:
    """A 404 is recorded, its items stay, and the next run requests it again, as a replica may lag."""
    world = account(days=5, per_day=0, campaigns=ONE)
    action = with_items(world, "A1")
    world.first_sync(items_max_requests=None)
    world.world.set_item(action, "A1", SaleAmount="20.00")
    world.world.advance(hours=1)
    world.sync()
    reply_to_items(world, action, Reply(404, b'{"Status":"ERROR","Message":"none"}'))
    summary = world.drain()
    assert (summary.tally.not_found, summary.ended[0]) == (1, Exit.DONE)
    assert (action, "A1") in world.held_items()
    world.item_requests()
    world.sync(items_max_requests=None)
    assert world.item_requests() == [action]
    reply_to_items(world, action, None)
    world.world.set_item(action, "A1", SaleAmount="30.00")
    world.world.advance(hours=1)
    world.sync(items_max_requests=None)
    assert world.item_requests() == [action]
    world.assert_items_true()


def test_an_item_with_a_value_that_cannot_be_read_lands_without_it_and_is_asked_for_again(account: Make) -> None:
    """It also goes to `rejected_records` with its JSON; once the value can be read nothing of that remains."""
    world = account(days=5, per_day=2, campaigns=ONE)
    action = with_items(world, "A1", "A2")
    world.world.set_item(action, "A2", Quantity="a dozen")
    world.first_sync()
    assert world.drain().ended[0] is Exit.DRIFT
    held = f"select sku, quantity, sale_amount from impact.action_items where action_id = '{action}' order by sku"
    assert world.query(held) == [("A1", 1, Decimal(10)), ("A2", None, Decimal(10))]
    rejected = "select action_id, pass, reason, null_columns, raw like '%a dozen%' from impact.rejected_records"
    reason = "Quantity is not a number: 'a dozen'"
    assert world.query(rejected) == [(action, "items", reason, "quantity", True)]
    world.sync()
    world.item_requests()
    assert world.drain().ended[0] is Exit.DONE, "it is known by now, and running again would not help"
    assert world.item_requests() == [action]
    world.assert_true()
    world.world.set_item(action, "A2", Quantity="12", touches=False)
    assert world.drain().ended[0] is Exit.DONE
    assert world.query(rejected) == []
    world.assert_items_true()


def test_a_quantity_with_a_fraction_takes_no_money_along(account: Make) -> None:
    """Its item is held without the quantity, with its money, and not requested again: it is what the API says."""
    world = account(days=5, per_day=0, campaigns=ONE)
    cloth = {"Sku": "cloth", "Quantity": "1.5", "SaleAmount": "21.50", "Payout": "2.15"}
    thread = {"Sku": "thread", "Quantity": "2.0", "SaleAmount": "10.00", "Payout": "1.000000000000002"}
    action = world.world.create(items=[cloth, thread], Payout="3.15", Amount="31.50")
    world.first_sync()
    assert world.drain().ended[0] is Exit.DRIFT
    held = "select sku, quantity, sale_amount, payout from impact.action_items order by sku"
    assert world.query(held) == [
        ("cloth", None, Decimal("21.5"), Decimal("2.15")),
        ("thread", 2, Decimal(10), Decimal(1)),
    ]
    rejected = "select null_columns, reason, ask_again from impact.rejected_records"
    assert world.query(rejected) == [("quantity", "Quantity is not a whole number: '1.5'", False)]
    for asked in ([action], []):  # once more, as it was created so shortly before the first run
        world.world.advance(hours=2)
        world.sync()
        world.item_requests()
        assert world.drain().ended[0] is Exit.DONE
        assert world.item_requests() == asked
    assert world.query("select * from impact.item_reconciliation") == []
    world.world.set_item(action, "cloth", Quantity="2")
    world.world.advance(hours=1)
    world.sync()
    assert world.drain().ended[0] is Exit.DONE
    assert world.query(rejected) == []


def test_money_that_could_not_be_read_is_missing_in_item_reconciliation(account: Make) -> None:
    """An item that lacks its money, or is not an item at all, leaves a difference there."""
    world = account(days=5, per_day=0, campaigns=ONE)
    unread, broken = (world.world.create(Amount="30.00", Payout="3.00") for _ in range(2))
    first = b'{"ActionItems": [{"Sku": "A1", "SaleAmount": 10, "Payout": 1}, '
    answers = {
        f"/{unread}/Items": Reply(200, first + b'{"Sku": "A2", "SaleAmount": "20,00", "Payout": 2}]}'),
        f"/{broken}/Items": Reply(200, first + b"7]}"),
    }
    world.sandbox.on_request = lambda request: answers.get(request.path.rpartition("/Actions")[2])
    world.first_sync()
    assert world.drain().ended[0] is Exit.DRIFT
    sql = "select action_id, amount_difference, payout_difference from impact.item_reconciliation order by 3"
    assert world.query(sql) == [(unread, Decimal(20), Decimal(0)), (broken, Decimal(20), Decimal(2))]


def test_lines_that_cannot_be_added_up_are_set_aside(account: Make) -> None:
    """Two lines of one Sku whose sum is larger than the column are kept as they came, and stop nothing."""
    world = account(days=5, per_day=2, campaigns=ONE)
    action = world.world.create()
    line = b'{"Sku": "A1", "Quantity": "1", "SaleAmount": "900000000000.00"}'
    reply_to_items(world, action, Reply(200, b'{"ActionItems": [' + line + b", " + line + b"]}"))
    world.first_sync()
    assert world.drain().tally.rejected == 1
    assert world.query("select count(*) from impact.rejected_records where reason like '%added up%'") == [(1,)]


def test_one_action_without_an_answer_does_not_hold_up_the_others(account: Make) -> None:
    """Its failure is recorded, all others are read, and the next run requests it again, after all others."""
    world = account(days=10, per_day=3, campaigns=ONE)
    action = with_items(world, "A1")
    world.world.set_item(action, "A1", SaleAmount="9999.00")
    world.first_sync()
    reply_to_items(world, action, Reply(500))
    summary = world.drain()
    assert (summary.tally.failed, summary.coverage.waiting, summary.ended[0]) == (1, 1, Exit.EARLY)
    reply_to_items(world, action, None)
    world.world.advance(days=1)
    world.sync()
    world.item_requests()
    world.drain(item_concurrency=1)
    assert world.item_requests()[-1] == action
    world.assert_items_true()


def test_an_api_that_is_down_ends_the_drain_and_keeps_what_was_read(account: Make) -> None:
    """When nothing answers any more the drain stops, what it has read has landed, and the sync says so."""
    world = account(days=15, per_day=10, campaigns=ONE)
    seen: list[str] = []

    def hook(request: Request) -> Reply | None:
        seen.append(request.path)
        items = [path for path in seen if path.endswith("/Items")]
        return Reply(503) if len(items) > 40 and request.path.endswith("/Items") else None

    world.sandbox.on_request = hook
    summary = world.sync(items_max_requests=None)
    assert summary.exit is Exit.FAILED
    assert summary.items is not None
    ((listed,),) = world.query("select count(*) from impact.item_fetches where status = 'listed'")
    assert 30 < listed <= 40
    world.assert_true()
    world.sandbox.on_request = None
    world.drain()
    world.assert_items_true()


def test_a_token_that_may_not_read_items_says_what_to_fix(account: Make) -> None:
    """The actions land, and the error names the way to do without items."""
    world = account(days=5, per_day=2, scopes={"Campaigns", "Actions"})
    summary = world.sync(items_max_requests=None)
    assert summary.exit is Exit.USAGE
    world.assert_true()
    assert world.sync().exit is Exit.DONE


@pytest.mark.long
def test_weeks_with_too_small_a_budget_end_true(account: Make) -> None:
    """Coverage rises with each run, nothing changed and still open is left behind, and in the end all is true."""
    world = account(days=60, per_day=5, rules=Rules(duplicate_skus=0.3))
    shares = []
    for week in range(4):
        if week:
            change_some(world, week)
            world.world.advance(days=3)
        summary = world.sync(items_max_requests=90)
        assert summary.items is not None
        assert summary.exit is Exit.DONE
        shares.append(summary.items.coverage.share)
        late = "select count(*) from impact.item_state where items = 'outdated' and open_until > "
        assert world.query(f"{late} timestamptz '{world.world.now}'") == [(0,)]
    assert all(earlier < later or earlier == 1.0 for earlier, later in pairwise(shares)), shares
    world.drain()
    world.assert_items_true()
    world.assert_true()


def change_some(world: Account, week: int) -> None:
    """Modify, remove and add items of open actions; some so that only the update date shows it."""
    pending = sorted(i for i, row in world.truth().items() if row["state"] == "PENDING")
    for place, action in enumerate(pending[week :: len(pending) // 8 or 1]):
        items: list[dict[str, Any]] = world.world.item_truth(action).to_pylist()
        sku = items[0]["Sku"] if items else "new"
        match place % 4 if items else 1:
            case 0:
                world.world.set_item(action, sku, Category=f"Week {week}")
            case 1:
                world.world.set_item(action, f"extra-{week}", SaleAmount="5.00", Payout="0.50")
            case 2:
                world.world.remove_item(action, sku)
            case _:
                world.world.set_item(action, sku, SaleAmount="77.00", touches=False)


def test_a_database_from_yesterday_gets_its_items_back(account: Make) -> None:
    """Items that a restored copy lacks are read again: only the warehouse remembers them."""
    world = account(days=10, per_day=4)
    world.first_sync()
    world.drain(10)
    copy = world.path.read_bytes()
    world.drain()
    world.path.write_bytes(copy)
    world.sync(items_max_requests=None)
    world.assert_items_true()


def test_a_change_is_noticed_by_whoever_only_reads_ranges(account: Make) -> None:
    """Runs with --since set no cursor: whatever they return may have changed items."""
    world = account(days=5, per_day=0, campaigns=ONE)
    action = with_items(world, "A1")
    since = Ask(since=world.world.now - timedelta(days=3))
    world.sync(since)
    world.drain()
    world.world.advance(days=1)
    world.world.set_item(action, "A1", Category="Garden")
    world.sync(since)
    world.drain()
    world.assert_items_true()


def test_a_change_that_shows_up_late_is_noticed(account: Make) -> None:
    """An update that lies before the cursor, and became visible after it, still makes items out of date."""
    world = account(days=5, per_day=0, campaigns=ONE)
    action = with_items(world, "A1")
    world.first_sync(items_max_requests=None)
    world.world.advance(days=3)
    world.world.rules = Rules(visibility_lag=3600)
    for week in range(2):
        world.world.set_item(action, "A1", Category=f"Garden {week}")
        world.sync()
        world.world.advance(days=2)
        world.sync(items_max_requests=None)
        world.assert_items_true()


@pytest.mark.parametrize("status", [403, 410, *(pytest.param(more, marks=pytest.mark.long) for more in (400, 422))])
def test_one_refused_action_does_not_hold_up_the_others(account: Make, status: int) -> None:
    """Whatever the API has against one action, the others are read; a missing scope is reported at once."""
    world = account(days=5, per_day=3, campaigns=ONE)
    action = with_items(world, "A1")
    world.first_sync()
    reply_to_items(world, action, Reply(status, b'{"Message": "no"}'))
    summary = world.drain(item_concurrency=2)
    if status == 403:
        assert summary.ended[0] is Exit.USAGE
    else:
        assert (summary.tally.failed, summary.coverage.waiting, summary.ended[0]) == (1, 1, Exit.EARLY)


def test_items_of_a_run_that_was_killed_go_when_they_are_gone(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items may have landed for an action that does not count as read yet: they leave the table like any other."""
    monkeypatch.setattr(items, "_PACKAGE", 1)
    world = account(days=5, per_day=0, campaigns=ONE)
    action = with_items(world, "A1")
    world.first_sync()
    with (
        open_pipeline() as pipeline,
        Client(world.settings()) as client,
        items.ItemWalk(client, Warehouse(pipeline), "killed after its first package") as walk,
    ):
        pipeline.run(impact_items(walk=walk))
    assert (action, "A1") in world.held_items()
    world.world.remove_item(action, "A1")
    world.sync(items_max_requests=None)
    world.assert_items_true()


def test_an_answer_of_a_killed_run_is_not_used_after_an_update(account: Make) -> None:
    """What a killed run had received but not landed is dropped once a sync sees that the action was updated."""
    world = account(days=5, per_day=0, campaigns=ONE)
    action = with_items(world, "A1")
    world.first_sync()
    with open_pipeline() as pipeline, Client(world.settings()) as client:
        kept = kept_answers(pipeline, world.settings())
        with kept as spool, items.ItemWalk(client, Warehouse(pipeline), "killed before it landed", spool=spool) as walk:
            list(walk.package({}))
        kept_somewhere = list(world.folder.rglob("*.items"))
    assert kept_somewhere
    world.world.advance(days=1)
    world.world.set_item(action, "A1", Category="Garden")
    world.sync(items_max_requests=None)
    world.assert_items_true()


@pytest.mark.long
def test_rejected_items_are_forgotten_whatever_lay_between(account: Make) -> None:
    """Rejected, then without an answer, then fixed: nothing remains in `rejected_records`."""
    world = account(days=5, per_day=0, campaigns=ONE)
    action = with_items(world, "A1")
    world.world.set_item(action, "A1", Quantity="a dozen")
    world.first_sync()
    assert world.drain().ended[0] is Exit.DRIFT
    reply_to_items(world, action, Reply(500))
    assert world.drain().ended[0] is Exit.EARLY
    reply_to_items(world, action, None)
    assert world.drain().ended[0] is Exit.DONE, "it was known to be rejected before"
    world.world.set_item(action, "A1", Quantity="12", touches=False)
    assert world.drain().ended[0] is Exit.DONE
    assert world.query("select * from impact.rejected_records") == []
    world.assert_items_true()

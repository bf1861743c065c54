"""Every version of an action and of an item is kept, with the interval it held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from impact_sync.console.exits import Exit
from impact_sync.verify.run import verify

from tests.support.account import Account

Make = Callable[..., Account]
_COLUMNS = "state, payout, pass, changed, valid_from, valid_to"


def versions(world: Account, action_id: str) -> list[tuple[Any, ...]]:
    """The versions of an action, oldest first."""
    return world.query(f"select {_COLUMNS} from impact.action_history where id = '{action_id}' order by valid_from")


def test_each_change_is_a_version_with_the_interval_it_held(account: Make) -> None:
    """A version says what changed and which pass saw it; it holds until the next was seen."""
    world = account(days=1, per_day=0)
    world.start = None
    action_id = world.world.create(Amount="100.00", Payout="10.00")
    world.first_sync()
    world.world.advance(hours=5)
    world.world.modify(action_id, Amount="50.00", Payout="5.00")
    world.sync()
    world.world.advance(hours=5)
    world.world.reverse(action_id)
    world.sync()
    first, second, third = versions(world, action_id)
    assert first[:4] == ("PENDING", Decimal(10), "updated", None)
    assert second[:3] == ("PENDING", Decimal(5), "updated")
    assert {"payout", "amount"} <= set(second[3].split(", "))
    assert "state" not in second[3].split(", ")
    assert third[0] == "REVERSED"
    assert "state" in third[3].split(", ")
    assert (first[5], second[5], third[5]) == (second[4], third[4], None)
    world.assert_true()


def test_an_unchanged_row_that_is_read_again_adds_nothing(account: Make) -> None:
    """Every sync reads open actions again; if nothing changed the history stays as it is."""
    world = account(days=30, per_day=5)
    world.first_sync()
    before = world.query("select id, valid_from from impact.action_history order by all")
    world.world.tick()
    summary = world.sync()
    assert sum(tally.read for tally in summary.tallies.values()) > 0
    assert sum(tally.changed + tally.new for tally in summary.tallies.values()) == 0
    assert world.query("select id, valid_from from impact.action_history order by all") == before


@pytest.mark.long
def test_as_of_any_past_instant_there_is_one_row_an_action(account: Make) -> None:
    """What the warehouse held at the end of each past week can be read from the history, column by column."""
    world = account(days=60, per_day=8, seed=7)
    snapshots = {}
    for _ in range(4):
        world.sync()
        snapshots[world.world.now] = world.held()
        world.world.advance(days=9)
    world.sync()
    for instant, snapshot in snapshots.items():
        with world.opened() as connection:
            rows = connection.execute(
                "select * exclude (synced_at, valid_from, valid_to, pass, changed) from impact.action_history "
                "where valid_from <= $at and (valid_to is null or valid_to > $at)",
                {"at": instant + timedelta(minutes=1)},
            ).to_arrow_table()
        assert len(rows) == len(snapshot)
        assert {row["id"]: row for row in rows.to_pylist()} == snapshot
    world.assert_true()
    changed = world.query("select distinct pass from impact.action_history where valid_to is not null or changed <> ''")
    assert {"updated", "locking"} <= {pass_ for (pass_,) in changed}


def test_a_history_that_is_turned_on_later_begins_with_what_is_held(account: Make) -> None:
    """Without history it does not exist; turned on, it has every action from then on."""
    world = account(days=20, per_day=4)
    changing = world.world.create(Payout="10.00")
    world.first_sync(history=False)
    assert world.query("select count(*) from duckdb_views() where view_name like '%history%'") == [(0,)]
    assert world.query("select count(*) from duckdb_tables() where table_name like 'action_%versions'") == [(0,)]
    world.world.advance(days=2)
    world.sync()
    world.world.modify(changing, Payout="5.00")
    world.world.advance(hours=1)
    world.sync()
    assert [row[1] for row in versions(world, changing)] == [Decimal(10), Decimal(5)]
    world.assert_true()


def test_while_the_history_is_off_the_replaced_is_gone_and_nothing_else(account: Make) -> None:
    """Turned off and on again, versions from before stay, later ones are kept again, and verify finds no drift."""
    world = account(days=5, per_day=2)
    changing, never = world.world.create(Payout="10.00"), world.world.create(Payout="1.00")
    world.first_sync()
    for payout, on in (("9.00", True), ("8.00", False), ("7.00", False), ("6.00", True)):
        world.world.advance(days=1)
        world.world.modify(changing, Payout=payout)
        if not on:
            world.world.modify(never, Payout=payout)
        world.sync(history=on)
        assert verify(world.settings(history=on)).exit is Exit.DONE
    rows = versions(world, changing)
    assert [row[1] for row in rows] == [10, 7, 6]
    assert rows[0][5] < rows[1][4]
    assert (rows[1][3], rows[1][5]) == ("", rows[2][4])
    assert [(row[1], row[3], row[5]) for row in versions(world, never)] == [(7, None, None)]


def test_a_field_that_the_api_adds_is_part_of_the_history(account: Make) -> None:
    """A column that comes later is in later versions, and a change of only that column is a version."""
    world = account(days=5, per_day=4)
    action_id = world.world.create(Payout="10.00")
    world.first_sync()
    world.world.advance(days=1)
    world.world.modify(action_id, Tier="gold")
    world.sync()
    world.world.advance(days=1)
    world.world.modify(action_id, Tier="silver")
    world.sync()
    rows = world.query(f"select tier, changed from impact.action_history where id = '{action_id}' order by valid_from")
    assert [tier for tier, _ in rows] == [None, "gold", "silver"]
    assert rows[2][1] == "tier"


def test_what_verify_repairs_is_a_version_that_verify_saw(account: Make) -> None:
    """A repair closes the version that was wrong."""
    world = account(days=10, per_day=4)
    action_id = world.world.create(Payout="10.00")
    world.world.advance(days=2)
    world.first_sync()
    with world.changing() as connection:
        connection.execute("update actions set payout = 99 where id = ?", [action_id])
    assert verify(world.settings(), repair=True).repaired
    wrong, repaired = versions(world, action_id)
    assert (wrong[1], repaired[1], repaired[2], repaired[3]) == (Decimal(99), Decimal(10), "verify", "payout")
    world.assert_true()


def test_items_have_versions_until_a_list_names_them_no_more(account: Make) -> None:
    """A changed item is closed by its next version, one that is gone by the list without it."""
    world = account(days=1, per_day=0)
    lines = [{"Sku": "A", "Quantity": "1", "SaleAmount": "60.00"}, {"Sku": "B", "Quantity": "2", "SaleAmount": "40.00"}]
    action_id = world.world.create(Amount="100.00", items=lines)
    world.first_sync(items_max_requests=None)
    for step in ("change", "remove"):
        world.world.advance(hours=2)
        if step == "change":
            world.world.set_item(action_id, "A", Quantity="3")
        else:
            world.world.remove_item(action_id, "B")
        world.sync(items_max_requests=None)
    world.assert_history_true("action_items", "action_item_history", "action_id", "sku")
    rows = world.query(
        "select sku, quantity, valid_to is null, changed from impact.action_item_history order by sku, valid_from"
    )
    assert [row[:3] for row in rows] == [("A", 1, False), ("A", 3, True), ("B", 2, False)]
    assert "quantity" in rows[1][3].split(", ")
    ((gone, fetched),) = world.query(
        "select h.valid_to, f.fetched_at from impact.action_item_history h join impact.item_fetches f "
        "using (action_id) where h.sku = 'B'"
    )
    assert gone == fetched

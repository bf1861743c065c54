"""`impact show`: one action and its items, live beside the warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable

from impact_sandbox import Rules

from tests.support.account import CAMPAIGNS, Account
from tests.support.commands import clean, environment, impact

Make = Callable[..., Account]


def shown(world: Account, code: int, *arguments: str) -> str:
    """Output of `impact show`, which must end with `code`."""
    return clean(impact("show", *arguments, env=environment(world)), code)


def marked(output: str) -> set[str]:
    """Names of the columns that are marked as differing."""
    lines = [line.replace("┃", "│").split("│") for line in output.splitlines() if "differs" in line]
    return {cell.strip() for cells in lines for cell in cells[1:3] if cell.strip().islower()}


def test_what_agrees_is_said_to_agree(account: Make) -> None:
    """After a sync and a drain both sides are shown, a Sku listed twice as one row, and agree."""
    world = account(days=5, per_day=2, rules=Rules(duplicate_skus=1.0, wire="typed"))
    world.first_sync(items_max_requests=None)
    ((action,),) = world.query("select max(action_id) from impact.action_items where line_count > 1 limit 1")
    assert action is not None
    output = shown(world, 0, action)
    assert "Warehouse and API agree." in output
    assert world.query(f"select payout from impact.actions where id = '{action}'")[0][0].__str__() in output


def test_what_differs_is_marked(account: Make) -> None:
    """A change at impact.com that was not synced yet shows in its column, on both levels."""
    world = account(days=1, per_day=0, campaigns=CAMPAIGNS[:1])
    action = world.world.create(Amount="100.00")
    sku = world.world.item_truth(action).to_pylist()[0]["Sku"]
    world.first_sync(items_max_requests=None)
    world.world.set_item(action, sku, SaleAmount="70.00", Category="Garden")
    output = shown(world, 1, action)
    assert {"amount", "delta_amount", "sale_amount", "category"} <= marked(output)
    assert "impact sync" in output


def test_one_item_is_asked_for_by_its_sku(account: Make) -> None:
    """With --sku one item is requested by itself, whatever characters its Sku has."""
    world = account(days=1, per_day=0, campaigns=CAMPAIGNS[:1])
    action = world.world.create()
    world.world.set_item(action, "a/b c%20?", SaleAmount="1.00")
    world.first_sync(items_max_requests=None)
    world.sandbox.requests.clear()
    output = shown(world, 0, action, "--sku", "a/b c%20?")
    assert [request.path.split("/")[-1] for request in world.sandbox.requests] == [action, "a%2Fb%20c%2520%3F"]
    assert "a/b c%20?" in output
    output = shown(world, 2, action, "--sku", "another")
    assert f"the action {action} has no item another, here or there; it has " in output
    assert "a/b c%20?" in output
    assert "agree" not in output


def test_what_only_one_side_knows_is_said(account: Make) -> None:
    """Before any sync, after a removal at the source, and for an id that nobody knows, the reason is given."""
    world = account(days=1, per_day=0, campaigns=CAMPAIGNS[:1])
    action = world.world.create()
    output = shown(world, 1, action)
    assert "There is no warehouse yet to compare with: `impact sync` creates it." in output
    assert "differ" not in output
    assert not world.path.exists()
    world.first_sync()
    output = shown(world, 1, action)
    assert "The action agrees. Its items were never read" in output
    assert "differ" not in output
    world.drain()
    later = world.world.create()
    assert "The warehouse does not hold this action." in shown(world, 1, later)
    world.world.remove(action)
    assert "The API does not know this action (any more)." in shown(world, 1, action)
    assert "neither the API nor the warehouse knows the action 1.2.3" in shown(world, 2, "1.2.3")


def test_items_that_the_feed_says_are_compared_in_what_it_says(account: Make) -> None:
    """A derived item lacks its name, which is no difference; another amount is. Its changes are listed with reasons."""
    world = account(days=20, per_day=3, campaigns=CAMPAIGNS[:1])
    action = world.world.create(Amount="100.00")
    sku = world.world.item_truth(action).to_pylist()[0]["Sku"]
    world.sync(items="feed", items_max_requests=30)
    with world.changing() as connection:  # as if its list had not been read
        connection.execute("update action_items set known_by = 'feed', item_name = null where action_id = ?", [action])
    output = shown(world, 0, action)
    assert "Warehouse and API agree on all that the change feed says" in output
    assert marked(output) == set()
    assert re.search(r"known_by\W+feed\W+list", output)
    ((date, amount),) = world.query(
        f"select update_date, delta_amount from impact.action_updates where action_id = '{action}'"
    )
    assert re.search(rf"{date:%Y-%m-%d %H:%M:%S}\W+{re.escape(sku)}\W+{amount:f}", output)
    world.world.set_item(action, sku, SaleAmount="70.00")
    assert "sale_amount" in marked(shown(world, 1, action))

"""Manual changes: they take effect at once and cancel what the world had planned, except locking and clearing."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from impact_sandbox import Rules, World

from tests.impact_sandbox.conftest import Ask, Row


@pytest.fixture
def world() -> World:
    """Return a world with nothing in it but what a test creates."""
    return World(days=1, per_day=0)


def one(world: World, action_id: str) -> Row:
    """Return the truth about one action."""
    row: Row = next(row for row in world.truth().to_pylist() if row["Id"] == action_id)
    return row


def test_create(ask: Ask, world: World) -> None:
    """A created action has the fields given, even unknown ones, sensible others, and one item worth it all."""
    client = ask(world)
    action_id = world.create(Oid='"7"', Amount="10.00", Payout="1.50", Loyalty="gold")
    row = client.action(action_id)
    assert row == one(world, action_id)
    assert list(row)[-1] == "Loyalty"
    assert (row["Oid"], row["Loyalty"], row["State"]) == ('"7"', "gold", "PENDING")
    assert (row["DeltaAmount"], row["IntendedPayout"], row["ClientCost"]) == ("10.00", "1.50", "1.5000")
    assert row["CreationDate"] == "2026-01-15T04:00:00-08:00"
    assert row["LockingDate"] == "2026-02-14T00:00:00-08:00"
    assert [(item["SaleAmount"], item["Payout"]) for item in client.items(action_id)] == [("10.00", "1.50")]
    assert client.actions() == [row]


def test_create_with_items(ask: Ask, world: World) -> None:
    """An action may be created with items, whose sums are its amounts unless given."""
    client = ask(world)
    items = [{"Sku": "A/B 1", "SaleAmount": "5.00", "Payout": "0.50"}, {"SaleAmount": "2.00", "Color": "red"}]
    row = client.action(world.create(items=items, Payout="9.00"))
    assert (row["Amount"], row["IntendedAmount"], row["Payout"]) == ("7.00", "7.00", "9.00")
    told = client.items(row["Id"])
    assert [(item["Sku"], item["SaleAmount"]) for item in told] == [("A/B 1", "5.00"), ("12345", "2.00")]
    assert told[0]["Uri"].endswith("/Items/A%2FB%201")


def test_created_id(ask: Ask, world: World) -> None:
    """An action may be created under any Id, in any known campaign."""
    client = ask(world)
    assert world.create("2000", Id="odd/id 1") == "odd/id 1"
    assert client.action("odd%2Fid%201")["CampaignId"] == "2000"
    with pytest.raises(StopIteration):
        world.create("3")


def test_raw_values(ask: Ask, world: World) -> None:
    """Values are returned as given, even those that are not numbers or dates."""
    client = ask(world)
    action_id = world.create(Amount="abc", LockingDate="soon", ClearedDate="")
    world.modify(action_id, Payout="1.23456789")
    row = client.action(action_id)
    assert (row["Amount"], row["LockingDate"], row["Payout"]) == ("abc", "soon", "1.23456789")


def test_modify(ask: Ask, world: World) -> None:
    """A modification moves amounts, deltas, cost and items together, and last-updated."""
    client = ask(world)
    action_id = world.create(Amount="10.00", Payout="1.00", ClientCost="1.1000")
    world.set_item(action_id, "A/B 1", SaleAmount="5.00", Payout="0.50")
    assert one(world, action_id)["Amount"] == "15.00"
    world.advance(days=1)
    world.modify(action_id, Amount="6.00", Payout="0.30")
    row = client.action(action_id)
    assert (row["DeltaAmount"], row["DeltaPayout"], row["ClientCost"]) == ("-9.00", "-1.20", "0.3300")
    assert (row["IntendedAmount"], row["IntendedPayout"]) == ("10.00", "1.00")
    items = client.items(action_id)
    assert [(item["SaleAmount"], item["Payout"]) for item in items] == [("4.00", "0.20"), ("2.00", "0.10")]
    assert {item["AdjustmentDate"] for item in items} == {"2026-01-16T04:00:00-08:00"}
    assert client.updated(action_id)


@pytest.mark.parametrize("touches", [True, False])
def test_touches(ask: Ask, world: World, *, touches: bool) -> None:
    """Each edit says whether it moves last-updated."""
    client = ask(world)
    edits: list[Callable[[str], None]] = [
        lambda key: world.modify(key, CustomerStatus="EXISTING", touches=touches),
        lambda key: world.set_item(key, "B", SaleAmount="2.00", touches=touches),
        lambda key: world.remove_item(key, "B", touches=touches),
        lambda key: world.reverse(key, touches=touches),
        lambda key: world.restore(key, touches=touches),
    ]
    action_id = world.create()
    for edit in edits:
        world.advance(hours=1)
        edit(action_id)
        assert client.updated(action_id) == touches
    world.advance(hours=1)
    world.approve(action_id)
    assert not client.updated(action_id)


def test_reverse_and_restore(ask: Ask) -> None:
    """A reversal sets amounts and items to zero; a restoration brings back the previous ones, generated or created."""
    client = ask()
    world = client.world
    created = world.create(Amount="9.00", Payout="0.90")
    generated = next(row["Id"] for row in client.locking(State="PENDING") if len(client.items(row["Id"])) > 1)
    for action_id in (created, generated):
        before, items = client.action(action_id), client.items(action_id)
        world.reverse(action_id)
        row = client.action(action_id)
        assert (row["State"], row["Amount"], row["Payout"]) == ("REVERSED", "0.00", "0.00")
        assert Decimal(row["DeltaAmount"]) == -Decimal(before["Amount"])
        assert {(item["SaleAmount"], item["Payout"]) for item in client.items(action_id)} == {("0.00", "0.00")}
        world.restore(action_id)
        after = client.action(action_id)
        assert {**after, "DeltaAmount": "", "DeltaPayout": ""} == {**before, "DeltaAmount": "", "DeltaPayout": ""}
        assert after["DeltaAmount"] == before["Amount"]
        assert [item["SaleAmount"] for item in client.items(action_id)] == [item["SaleAmount"] for item in items]


def test_restore_what_the_world_reversed() -> None:
    """A reversal that the world made can be undone by hand."""
    world = World(days=60, per_day=12)
    action_id = next(row["Id"] for row in world.truth().to_pylist() if row["State"] == "REVERSED")
    world.restore(action_id)
    row = one(world, action_id)
    assert row["State"] != "REVERSED"
    assert row["Amount"] == row["DeltaAmount"] != "0.00"
    assert sum(Decimal(item["SaleAmount"]) for item in world.item_truth(action_id).to_pylist()) == Decimal(
        row["Amount"]
    )


@pytest.mark.parametrize("moves", [False, True])
def test_approve(world: World, *, moves: bool) -> None:
    """A manual approval leaves LockingDate where it is, or moves it to now if the rules say so."""
    world.rules = Rules(early_approval_moves_lock=moves)
    action_id = world.create()
    lock = one(world, action_id)["LockingDate"]
    world.advance(days=2)
    world.approve(action_id)
    row = one(world, action_id)
    assert row["State"] == "APPROVED"
    assert row["LockingDate"] == ("2026-01-17T04:00:00-08:00" if moves else lock)


def test_locks_and_clears(world: World) -> None:
    """An edited action is still approved at its LockingDate and cleared weeks later."""
    action_id = world.create(LockingDate="2026-01-20T00:00:00-08:00")
    world.modify(action_id, Amount="5.00")
    world.set_now(datetime.fromisoformat("2026-01-20T07:59:59Z"))
    assert one(world, action_id)["State"] == "PENDING"
    world.advance(seconds=1)
    assert one(world, action_id)["State"] == "APPROVED"
    world.modify(action_id, Note="late")
    world.advance(days=21)
    row = one(world, action_id)
    assert (row["ClearedDate"], row["Note"]) == ("2026-02-10T00:00:00-08:00", "late")


def test_edit_cancels_plans() -> None:
    """An edit cancels what the world had planned for an action, except its locking and clearing."""
    untouched, world = World(days=60, per_day=20), World(days=60, per_day=20)
    pending = {row["Id"]: row for row in world.truth().to_pylist() if row["State"] == "PENDING"}
    untouched.advance(days=90)
    fates = {row["Id"]: row for row in untouched.truth().to_pylist()}
    doomed = next(key for key in pending if fates[key]["State"] == "REVERSED")
    same = ("Amount", "DeltaAmount", "LockingDate")
    plain = next(key for key in pending if all(fates[key][name] == pending[key][name] for name in same))
    for action_id in (doomed, plain):
        world.modify(action_id, Note="kept")
    world.advance(days=90)
    assert one(world, doomed) == {**one(world, doomed), "State": "APPROVED", "Amount": pending[doomed]["Amount"]}
    assert one(world, plain) == {**fates[plain], "Note": "kept"}


def test_items_by_hand(ask: Ask, world: World) -> None:
    """Items are changed, added, removed, even listed twice; the action's amounts are their sums."""
    client = ask(world)
    action_id = world.create(Amount="10.00", Payout="1.00")
    world.set_item(action_id, "12345", Quantity="2", SaleAmount="12.00")
    world.set_item(action_id, "X", Sku="12345", SaleAmount="3.00", Payout="0.30", Color="red")
    row, items = client.action(action_id), client.items(action_id)
    assert (row["Amount"], row["Payout"]) == ("15.00", "1.30")
    assert [(item["Sku"], item["Quantity"]) for item in items] == [("12345", "2"), ("12345", "1")]
    assert items[1]["Color"] == "red"
    assert world.item_truth(action_id).column("Color").to_pylist() == [None, "red"]
    world.set_item(action_id, "Y", SaleAmount="1.00")
    world.remove_item(action_id, "12345")
    assert [item["Sku"] for item in client.items(action_id)] == ["Y"]
    assert client.action(action_id)["Amount"] == "1.00"
    with pytest.raises(KeyError):
        world.remove_item(action_id, "12345")


def test_remove(ask: Ask) -> None:
    """A removed action is gone from lists, items and the truth, and stays gone."""
    client = ask()
    action_id, count = client.locking()[0]["Id"], client.world.truth().num_rows
    client.world.remove(action_id)
    assert client.world.truth().num_rows == count - 1
    assert client.get(f"/Actions/{action_id}").status_code == 404
    assert client.get(f"/Actions/{action_id}/Items").status_code == 404
    client.world.advance(days=60)
    assert client.get(f"/Actions/{action_id}").status_code == 404
    with pytest.raises(KeyError):
        client.world.modify(action_id, Note="?")


def test_edits_outlive_rules() -> None:
    """Edits stay when a rule regenerates the lives of actions."""
    world = World(days=20, per_day=10)
    action_id = world.create(Amount="4.00")
    generated = world.truth("1000").column("Id").to_pylist()[5]
    world.modify(generated, Note="mine")
    world.advance(days=1)
    world.reverse(action_id)
    world.rules = Rules(lock_days=15, clearing_touches=True)
    assert one(world, action_id)["State"] == "REVERSED"
    assert one(world, generated)["Note"] == "mine"
    assert one(world, generated)["LockingDate"] < one(world, action_id)["LockingDate"] < "2026-02"

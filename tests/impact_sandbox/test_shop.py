"""The shop's own books agree with the account but for the differences that they list."""

from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from impact_sandbox import Rules, World
from impact_sandbox.shop import DIFFERENCES, Books, Difference

from tests.impact_sandbox.conftest import Ask, Row

Lines = list[tuple[str, int, Decimal]]
OFF = ("returned", "cancelled")
EACH = 6


class Sides:
    """An account and the books of its shop, by order id and event type."""

    def __init__(self, world: World, books: Books) -> None:
        self.orders, self.actions = (defaultdict[tuple[str, str], list[Row]](list) for _ in range(2))
        for row in books.orders.to_pylist():
            self.orders[row["order_id"], row["event_type"]].append(row)
        for row in world.truth().to_pylist():
            self.actions[row["Oid"], row["ActionTrackerName"]].append(row)
        self.here, self.there = (defaultdict[str, Lines](list) for _ in range(2))
        for row in books.order_items.to_pylist():
            self.here[row["order_id"]].append((row["sku"], int(row["quantity"]), Decimal(row["amount"])))
        for row in world.item_truth().to_pylist():
            self.there[row["ActionId"]].append((row["Sku"], int(row["Quantity"]), Decimal(row["SaleAmount"])))
        event_types = Counter(order_id for order_id, _ in self.orders)
        self.told_apart = {order_id for order_id, count in event_types.items() if count == 1}

    def differences(self) -> set[tuple[str, str, str]]:
        """Every difference, worked out row by row: order id, action id and kind."""
        found = set()
        for key in self.orders.keys() | self.actions.keys():
            orders, actions = self.orders[key], self.actions[key]
            if len(actions) > 1 or len(orders) > 1:
                found |= {(key[0], action["Id"], "duplicate") for action in actions}
            elif not actions and orders[0]["referred"] == "true":
                found.add((key[0], "", "no_action"))
            elif not orders:
                found.add((key[0], actions[0]["Id"], "no_order"))
            elif actions and (kind := self._kind(orders[0], actions[0])):
                found.add((key[0], actions[0]["Id"], kind))
        return found

    def _kind(self, order: Row, action: Row) -> str | None:
        reversed_there, off_here = action["State"] == "REVERSED", order["status"] in OFF
        if reversed_there or off_here:
            return None if reversed_there and off_here else "reversed_here" if reversed_there else "not_reversed"
        if order["currency"] != action["Currency"]:
            return "currency"
        lines = order["order_id"] in self.told_apart
        same = sorted(self.here[order["order_id"]]) == sorted(self.there[action["Id"]]) or not lines
        if same and Decimal(order["amount"]) == Decimal(action["Amount"]):
            return None
        assert same or not lines or Decimal(order["amount"]) != Decimal(action["Amount"])
        return "not_corrected" if order["status"] == "partly_returned" else "amount"


def listed(books: Books) -> set[tuple[str, str, str]]:
    """The planted differences as the books list them, each once."""
    rows = [tuple(row.values()) for row in books.planted.to_pylist()]
    assert len(set(rows)) == len(rows)
    return set(rows)


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.long)])
def test_what_is_planted_differs_and_nothing_else(seed: int) -> None:
    """Comparing all orders with all actions finds every difference that is listed, and no other."""
    world = World(seed=seed, days=60, per_day=20, rules=Rules(shared_oids=0.02, duplicate_skus=0.1))
    books = world.shop(EACH * len(DIFFERENCES))
    assert Sides(world, books).differences() == listed(books)
    kinds = Counter(kind for _, _, kind in listed(books))
    assert {kind: kinds[kind] for kind in DIFFERENCES if kind != "duplicate"} == dict.fromkeys(
        set(DIFFERENCES) - {"duplicate"}, EACH
    )
    twice = {key for key, orders in Sides(world, books).orders.items() if len(orders) == 2}
    assert len(twice) == EACH
    assert kinds["duplicate"] > EACH * 3  # the rest are actions that share an Oid


def test_a_shop_without_differences_agrees_with_the_account() -> None:
    """With nothing planted, the books are the account's actions and some orders that no partner referred."""
    world = World(days=40, per_day=10)
    books = world.shop(0)
    assert books.planted.num_rows == 0
    assert Sides(world, books).differences() == set()
    referred = Counter(books.orders["referred"].to_pylist())
    assert referred == {"true": world.truth().num_rows, "false": round(world.truth().num_rows / 10)}
    assert set(books.orders["status"].to_pylist()) == {"placed", "partly_returned", *OFF}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_one_kind_alone_can_be_planted(kind: Difference) -> None:
    """Counting differences by kind plants those, and no others."""
    world = World(days=40, per_day=10)
    books = world.shop({kind: 3}, organic=0)
    assert Counter(kind for _, _, kind in listed(books)) == {kind: 3}
    assert Sides(world, books).differences() == listed(books)


def test_edits_by_hand_and_ids_that_event_types_share_are_in_the_books() -> None:
    """An action edited by hand reads the same in the shop; an id used by two event types means two orders."""
    world = World(days=20, per_day=10)
    items = [{"Sku": "a", "SaleAmount": "10.00", "Quantity": "2"}, {"Sku": "a", "SaleAmount": "5.00"}]
    sold = world.create(Oid="S-1", Amount="15.00", items=items)
    installed = world.create(Oid="S-1", ActionTrackerId="2241", ActionTrackerName="App Purchase", Amount="3.00")
    lost, unnumbered, gone = world.create(Oid="S-2"), world.create(Oid=""), world.create(Oid="S-3")
    world.modify(sold, Amount="12.00")
    world.reverse(lost)
    world.remove(gone)
    books = world.shop({"reversed_here": 1})
    sides = Sides(world, books)
    assert [sides.orders["S-1", name][0]["amount"] for name in ("Sale", "App Purchase")] == ["12.00", "3.00"]
    assert sides.actions["S-1", "App Purchase"][0]["Id"] == installed
    assert ("", unnumbered, "no_order") in listed(books)
    assert ("S-3", "Sale") not in sides.orders
    assert sides.differences() == listed(books)


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    """Two worlds of a seed have the same books, byte for byte; another seed plants other differences."""
    rules = Rules(shared_oids=0.01)
    for name, seed in (("one", 1), ("two", 1), ("three", 9)):
        World(days=40, per_day=10, rules=rules).shop(seed=seed).write(tmp_path / name)
    one, two, three = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two", "three")
    )
    assert one == two
    assert set(one) == {"orders.csv", "order_items.csv", "planted.csv"}
    assert all(one[name] != three[name] for name in one)


def reverse(world: World, action_id: str) -> None:
    """Reverse an action by hand."""
    world.reverse(action_id)


def remove(world: World, action_id: str) -> None:
    """Take an action out of the API."""
    world.remove(action_id)


@pytest.mark.parametrize("change", [reverse, remove])
def test_what_happens_at_impact_does_not_change_the_books(change: Callable[[World, str], None]) -> None:
    """After corrections, time and new conversions the shop says what it said before."""
    world = World(days=40, per_day=10)
    books = world.shop(40)
    before = books.csv("orders"), books.csv("order_items"), books.csv("planted")
    for action_id, kind in zip(books.planted["action_id"].to_pylist(), books.planted["kind"].to_pylist(), strict=True):
        if kind == "not_reversed":
            change(world, action_id)
    world.create()
    world.advance(days=20)
    again = world.shop(40)
    assert (again.csv("orders"), again.csv("order_items"), again.csv("planted")) == before


def test_a_running_sandbox_hands_out_the_books(ask: Ask) -> None:
    """The three files can be requested; what cannot be planted is refused, and requests of other sites too."""
    client = ask()
    books = client.world.shop(16, 5)
    for name in ("orders", "order_items", "planted"):
        found = client.http.get(f"/sandbox/{name}", params={"planted": "16", "seed": "5"})
        assert found.content == books.csv(name)
        assert found.headers["content-type"].startswith("text/csv")
    for name, value, why in (
        ("planted", "100000", "plant fewer"),
        ("planted", "-8", "cannot be planted"),
        ("planted", "many", "int"),
        ("sown", "8", "sown"),
    ):
        refused = client.http.get("/sandbox/orders", params={name: value})
        assert refused.status_code == 400
        assert why in refused.text
    assert client.http.get("/sandbox/orders", headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.long
def test_books_of_a_hundred_thousand_orders_list_what_differs() -> None:
    """Among 100,000 orders, exactly the 2,000 differences planted and the Oids drawn twice by chance are found."""
    world = World(days=200, per_day=500)
    books = world.shop(2000)
    assert books.orders.num_rows > 100_000
    assert Sides(world, books).differences() == listed(books)
    assert 2000 <= len(listed(books)) < 2050

"""The change feed: what every change did to every item, so that its sums are the items, and other readings of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impact_sandbox import Rules, World
from impact_sandbox.answers import Asked, Refusal
from impact_sandbox.api import read
from impact_sandbox.server import SCOPES
from impact_sandbox.writes import Write

from tests.impact_sandbox.conftest import Ask, Client, Row

FIELDS = [
    *("Id", "ActionId", "CampaignId", "ActionTrackerId", "EventTypeId", "EventTypeName", "EventCode"),
    *("MediaPartnerId", "State", "StateDetail", "StateDetailDescription", "AdId", "Disposition", "DeltaPayout"),
    *("DeltaAmount", "Currency", "Category", "Sku", "Quantity", "CatalogName", "CatalogCategory"),
    *("CatalogDescription", "CatalogManufacturer", "CatalogOriginalFormatCategory", "CatalogSubCategory"),
    *("PayoutLevel", "DefaultPayoutRate", "ContractId", "UpdateDate", "LockingDate", "ClearingDate", "ActionDate"),
    *("Oid", "CustomerId", "CustomerStatus", "SharedId", "ActionUri", "Uri"),
]
"""The fields that the reference documents, in its order."""
Item = tuple[Decimal, Decimal, str, str]
"""What an item is worth and pays, its quantity and its category."""
Items = dict[tuple[str, str], Item]
"""Items by their action and their Sku."""
BOTH = [{"Sku": "A", "SaleAmount": "10.00", "Payout": "1.00", "Quantity": "2"}, {"Sku": "B", "SaleAmount": "5.00"}]


def ask_world(world: World, path: str, **parameters: str) -> Row:
    """Query a world directly, without a server."""
    with world.lock:
        answer = read(world, Asked(f"/Advertisers/{world.account_sid}{path}", parameters))
    body: Row = msgspec.json.decode(b"".join(answer.body))
    return body


def feed(world: World, campaign: str = "1000", days: int = 90) -> list[Row]:
    """Return the rows of some days up to now, oldest first."""
    rows: dict[str, Row] = {}
    for back in range(0, days, 45):
        end = world.now - timedelta(days=back)
        bounds = {"StartDate": f"{end - timedelta(days=45):%Y-%m-%dT%H:%M:%SZ}", "EndDate": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        body = ask_world(world, "/ActionUpdates", CampaignId=campaign, PageSize="1000000", **bounds)
        rows |= {row["Id"]: row for row in body["ActionUpdates"]}
    return sorted(rows.values(), key=lambda row: (instant(row["UpdateDate"]), int(row["Id"].rpartition(".")[2])))


def rows_of(world: World, action_id: str) -> list[tuple[str, ...]]:
    """Return what the rows of an action say of its items, oldest first."""
    names = ("Sku", "Quantity", "DeltaAmount", "DeltaPayout", "Disposition")
    return [tuple(row[name] for name in names) for row in feed(world) if row["ActionId"] == action_id]


def derived(rows: Iterable[Row]) -> Items:
    """Derive items from the feed: sums of deltas, the latest quantity and category; one with quantity 0 was removed."""
    items: Items = {}
    for row in rows:
        key = row["ActionId"], row["Sku"]
        sold, paid, _, _ = items.get(key, (Decimal(0), Decimal(0), "", ""))
        worth = sold + Decimal(row["DeltaAmount"]), paid + Decimal(row["DeltaPayout"])
        items[key] = *worth, row["Quantity"], row["Category"]
    return {key: item for key, item in items.items() if item[2] != "0"}


def listed(world: World, campaign: str = "1000") -> Items:
    """Return the items that the API lists."""
    return {
        (row["ActionId"], row["Sku"]): (
            Decimal(row["SaleAmount"]),
            Decimal(row["Payout"]),
            row["Quantity"],
            row["Category"],
        )
        for row in world.item_truth().to_pylist()
        if row["ActionId"].startswith(f"{campaign}.")
    }


def worth(rows: Iterable[Row]) -> dict[str, Decimal]:
    """Sum up what actions are worth by these rows."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["ActionId"]] += Decimal(row["DeltaAmount"])
    return dict(sums)


def amounts(world: World) -> dict[str, Decimal]:
    """Return what the actions of the first campaign are worth."""
    return {row["Id"]: Decimal(row["Amount"]) for row in world.truth("1000").to_pylist()}


def instant(text: str) -> datetime:
    """Read a time."""
    return datetime.fromisoformat(text)


def order(world: World) -> str:
    """Create an action of two items."""
    return world.create(items=BOTH)


@pytest.fixture
def world() -> World:
    """Return a world in which each test creates its own actions."""
    return World(days=1, per_day=0)


@pytest.mark.parametrize("campaign", ["1000", "2000"])
def test_the_feed_adds_up_to_the_items(campaign: str) -> None:
    """Through months of conversions, changes, reversals and restorations the feed's sums are exactly the items."""
    world = World(days=100, per_day=8)
    for _ in range(3):
        assert derived(feed(world, campaign, days=135)) == listed(world, campaign)
        world.advance(days=12, hours=7)


def set_item(world: World, action_id: str, number: int) -> None:
    """Change an item, by its amount and its quantity."""
    world.set_item(action_id, "B", SaleAmount=f"{number}.99", Payout="0.125", Quantity=str(number))


def add_item(world: World, action_id: str, number: int) -> None:
    """Add an item, one of a few."""
    world.set_item(action_id, f"C{number % 3}", SaleAmount=f"{number}.10")


def remove_item(world: World, action_id: str, number: int) -> None:
    """Remove an item."""
    skus = sorted(row["Sku"] for row in world.item_truth(action_id).to_pylist())
    if skus:
        world.remove_item(action_id, skus[number % len(skus)])


def restore(world: World, action_id: str, number: int) -> None:
    """Restore a reversed action; if none is, reverse one first."""
    found = [row["Id"] for row in world.truth("1000").to_pylist() if row["State"] == "REVERSED"]
    if not found:
        world.reverse(action_id)
    world.restore(found[number % len(found)] if found else action_id)


def put(world: World, action_id: str, number: int) -> None:
    """Have an update carried out."""
    world.submit(Write("Modification", "", "ORDER_UPDATE", action_id, amount=str(number)))
    world.advance(seconds=10)


def delete(world: World, action_id: str, number: int) -> None:
    """Have a reversal carried out."""
    world.submit(Write("Reversal", "", "CONS_FRAUD", action_id))
    world.advance(seconds=number)


EDITS: dict[str, Callable[[World, str, int], object]] = {
    "create": lambda world, _, number: world.create(items=BOTH[: number % 3]),
    "modify": lambda world, action_id, number: world.modify(action_id, Amount=f"{number}.50"),
    "set an item": set_item,
    "add an item": add_item,
    "remove an item": remove_item,
    "reverse": lambda world, action_id, number: world.reverse(action_id, touches=number % 2 > 0),
    "restore": restore,
    "approve": lambda world, action_id, _: world.approve(action_id),
    "status": lambda world, action_id, _: world.modify(action_id, CustomerStatus="EXISTING"),
    "put": put,
    "delete": delete,
    "wait": lambda world, _, number: world.advance(hours=number),
}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(EDITS)), st.integers(0, 5), st.integers(1, 48)), max_size=10))
def test_whatever_is_done_to_actions_the_feed_adds_up(edits: list[tuple[str, int, int]]) -> None:
    """Whatever edits or writes do to actions, even within one second, the feed's sums are the items."""
    world = World(days=15, per_day=1)
    for edit, which, number in edits:
        pending = [row["Id"] for row in world.truth("1000").to_pylist() if row["State"] == "PENDING"]
        EDITS[edit](world, pending[which] if which < len(pending) else order(world), number)
    assert derived(feed(world, days=45)) == listed(world)


def test_a_row_has_the_documented_fields(standing: Client) -> None:
    """A row has the documented fields in their order, all strings, and is the same alone, by its Id and its Uri."""
    rows = standing.rows("/ActionUpdates", CampaignId="1000")
    assert len({row["Id"] for row in rows}) == len(rows) > 100
    for row in rows:
        assert list(row) == FIELDS
        assert all(isinstance(value, str) for value in row.values())
        assert row["Id"].startswith(f"{row['ActionId']}.")
    for row in (rows[0], rows[-1]):
        assert standing.get(f"/ActionUpdates/{row['Id']}").json() == row
        assert standing.http.get(row["Uri"]).json() == row
        action = standing.http.get(row["ActionUri"]).json()
        same = ("CampaignId", "ActionTrackerId", "MediaPartnerId", "AdId", "Currency", "Oid", "CustomerId", "SharedId")
        assert {name: row[name] for name in same} == {name: action[name] for name in same}
        assert (row["ActionDate"], row["EventTypeName"]) == (action["EventDate"], action["ActionTrackerName"])
        assert instant(row["ClearingDate"]) > instant(row["LockingDate"]) > instant(row["UpdateDate"])


def test_rows_by_hand_have_the_same_fields(ask: Ask) -> None:
    """The same holds for a row of a manual action, whatever its text contains, in both wire formats."""
    client = ask(World(days=1, per_day=0))
    odd = 'say "no"\\'
    action_id = client.world.create(items=[{"Sku": odd, "SaleAmount": "1E+1", "Payout": "x"}], Oid=odd, LockingDate="")
    (row,) = client.rows("/ActionUpdates", CampaignId="1000")
    assert list(row) == FIELDS
    assert (row["Sku"], row["Oid"], row["DeltaAmount"], row["DeltaPayout"]) == (odd, odd, "10.00", "0.00")
    assert (row["LockingDate"], row["ClearingDate"]) == ("", "")
    assert row["StateDetailDescription"] == "Action comes in DEFAULT and a locking date has not been set yet"
    assert client.http.get(row["Uri"]).json() == row
    assert client.http.get(row["ActionUri"]).json()["Id"] == action_id == row["ActionId"]
    client.world.rules = Rules(wire="typed")
    assert client.rows("/ActionUpdates", CampaignId="1000")[0] == {
        **row,
        **{name: int(row[name]) for name in ("CampaignId", "ActionTrackerId", "MediaPartnerId", "AdId", "Quantity")},
        "DeltaAmount": 10.0,
        "DeltaPayout": 0.0,
        "LockingDate": None,
        "ClearingDate": None,
        **{name: utc(row[name]) for name in ("UpdateDate", "ActionDate")},
    }


def utc(text: str) -> str:
    """Write a time as the typed wire format does."""
    return f"{instant(text).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def test_typed_wire(ask: Ask) -> None:
    """The typed wire format has the same values as numbers, nulls and UTC timestamps with milliseconds."""
    client = ask()
    strings = client.rows("/ActionUpdates", CampaignId="1000")
    client.world.rules = Rules(wire="typed")
    numbers = ("CampaignId", "ActionTrackerId", "MediaPartnerId", "AdId", "Quantity", "DeltaAmount", "DeltaPayout")
    times = ("UpdateDate", "LockingDate", "ClearingDate", "ActionDate")
    told = client.rows("/ActionUpdates", CampaignId="1000")
    assert [list(row) for row in told] == [FIELDS] * len(strings)
    for row, old in zip(told, strings, strict=True):
        assert row == {
            **old,
            **{name: float(old[name]) for name in numbers},
            **{name: utc(old[name]) for name in times},
        }


def test_rows_are_written_when_an_action_is_tracked_modified_or_reversed(world: World) -> None:
    """A change has a row for each changed item, with the difference and the reason; approval and clearing have none."""
    action_id = order(world)
    tracked = [("A", "2", "10.00", "1.00", "IR_BLANK"), ("B", "1", "5.00", "0.00", "IR_BLANK")]
    assert rows_of(world, action_id) == tracked
    world.advance(seconds=1)
    world.set_item(action_id, "B", SaleAmount="3.50", Quantity="3")
    modified = [("B", "3", "-1.50", "0.00", "ORDER_UPDATE")]
    assert rows_of(world, action_id) == tracked + modified
    world.remove_item(action_id, "A")
    removed = [("A", "0", "-10.00", "-1.00", "ORDER_UPDATE")]
    assert rows_of(world, action_id) == tracked + modified + removed
    world.reverse(action_id)
    reversed_ = [("B", "3", "-3.50", "0.00", "ITEM_RETURNED")]
    assert rows_of(world, action_id) == tracked + modified + removed + reversed_
    world.restore(action_id)
    restored = [("B", "3", "3.50", "0.00", "RESET")]
    told = tracked + modified + removed + reversed_ + restored
    assert rows_of(world, action_id) == told
    world.approve(action_id)
    world.advance(days=60)
    assert world.truth("1000")["ClearedDate"].to_pylist() != [""]
    assert rows_of(world, action_id) == told


def test_a_modification_of_no_item_has_a_row_for_each() -> None:
    """A change that concerns no item has a row for each item, with zero differences."""
    world = World(days=1, per_day=0)
    action_id = order(world)
    world.modify(action_id, CustomerStatus="EXISTING")
    assert rows_of(world, action_id)[2:] == [
        ("A", "2", "0.00", "0.00", "ORDER_UPDATE"),
        ("B", "1", "0.00", "0.00", "ORDER_UPDATE"),
    ]
    assert [row["CustomerStatus"] for row in feed(world)] == ["NEW", "NEW", "EXISTING", "EXISTING"]


def test_rows_say_when_and_in_which_state(world: World) -> None:
    """A conversion's rows carry its CreationDate, as in the published sample; later ones the state after the change."""
    action_id = world.create(CreationDate="2026-01-14T01:00:00-08:00")
    world.advance(hours=1)
    world.reverse(action_id, touches=False)
    told = [(row["UpdateDate"], row["State"]) for row in feed(world)]
    assert told == [("2026-01-14T01:00:00-08:00", "PENDING"), ("2026-01-15T05:00:00-08:00", "REVERSED")]


def test_corrections_appear_in_the_feed(ask: Ask) -> None:
    """A write's changes are in the feed once it is carried out, with its reason."""
    client = ask(World(days=1, per_day=0))
    action_id = order(client.world)
    client.world.advance(seconds=1)
    queued = client.put(ActionId=action_id, Reason="ITEM_OUT_OF_STOCK", Sku="A", Quantity="1")
    assert len(rows_of(client.world, action_id)) == 2
    client.complete(queued)
    assert rows_of(client.world, action_id)[2:] == [("A", "1", "-5.00", "-0.50", "ITEM_OUT_OF_STOCK")]
    client.complete(client.delete(ActionId=action_id, DispositionCode="CONS_FRAUD"))
    assert rows_of(client.world, action_id)[3:] == [
        ("A", "1", "-5.00", "-0.50", "CONS_FRAUD"),
        ("B", "1", "-5.00", "0.00", "CONS_FRAUD"),
    ]
    client.complete(client.put(ActionId=action_id, Reason="RESET"))
    assert derived(feed(client.world)) == listed(client.world)


def test_a_change_by_hand_cancels_what_was_to_come() -> None:
    """What would have happened to an action without the manual edit never appears."""
    world = World(days=3, per_day=40)
    changed = [row["Id"] for row in world.truth("1000").to_pylist() if row["State"] == "PENDING"]
    edited = world.now
    for action_id in changed:
        world.modify(action_id, Amount="8.00")
    world.advance(days=40)
    later = [row for row in feed(world) if row["ActionId"] in changed and instant(row["UpdateDate"]) > edited]
    assert later == []
    assert derived(feed(world)) == listed(world)


def test_removed_actions_have_no_rows(world: World) -> None:
    """An action that is removed from the API takes its rows along."""
    action_id, other = order(world), order(world)
    (row, _) = (row for row in feed(world) if row["ActionId"] == action_id)
    world.remove(action_id)
    assert {row["ActionId"] for row in feed(world)} == {other}
    with pytest.raises(Refusal, match="does not exist"):
        ask_world(world, f"/ActionUpdates/{row['Id']}")


def test_the_feed_is_the_same_however_the_clock_moves() -> None:
    """Stepping, jumping and setting the clock back and forth give the same feed."""
    stepped, jumped = World(days=30, per_day=10), World(days=30, per_day=10)
    before = feed(stepped)
    for _ in range(20):
        stepped.advance(days=1)
    jumped.advance(days=20)
    assert feed(stepped) == feed(jumped) != before
    jumped.advance(days=-20)
    assert feed(jumped) == before


def test_filters(standing: Client) -> None:
    """StartDate and EndDate bound UpdateDate at both ends, the others their own dates; State combines with each."""
    recent = standing.rows("/ActionUpdates", CampaignId="1000")
    assert all(instant(row["UpdateDate"]) >= standing.world.now - timedelta(days=7) for row in recent)
    for name, start, end in (
        ("UpdateDate", "StartDate", "EndDate"),
        ("ActionDate", "ActionDateStart", "ActionDateEnd"),
        ("LockingDate", "LockingDateStart", "LockingDateEnd"),
    ):
        at = recent[len(recent) // 2][name]
        found = standing.rows("/ActionUpdates", CampaignId="1000", **{start: at, end: at})
        assert recent[len(recent) // 2] in found
        assert {row[name] for row in found} == {at}
        wide = {start: "2025-12-20T00:00:00Z", end: "2026-01-20T00:00:00Z"}
        everything = standing.rows("/ActionUpdates", CampaignId="1000", **wide)
        parts = [standing.rows("/ActionUpdates", CampaignId="1000", **wide, State=s) for s in ("PENDING", "REVERSED")]
        assert [{row["State"] for row in part} for part in parts] == [{"PENDING"}, {"REVERSED"}]
        assert sum(map(len, parts)) == len(everything)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"StartDate": "2026-01-01T00:00:00Z"}, "EndDate"),
        ({"StartDate": "2025-11-01T00:00:00Z", "EndDate": "2026-01-01T00:00:00Z"}, "EndDate"),
        ({"StartDate": "2022-01-01T00:00:00Z", "EndDate": "2022-01-02T00:00:00Z"}, "StartDate"),
        ({"ActionDateEnd": "2026-01-01T00:00:00Z"}, "ActionDateStart"),
        ({"State": "PAID"}, "State"),
        ({"PageSize": "1999"}, "PageSize"),
        ({"Sku": "12345"}, "Sku"),
        ({"CampaignId": "7"}, "CampaignId"),
    ],
)
def test_refusals(standing: Client, parameters: dict[str, str], field: str) -> None:
    """What the documentation does not allow is refused, and the parameter is named."""
    refused = standing.get("/ActionUpdates", **{"CampaignId": "1000", **parameters})
    assert (refused.status_code, refused.json()["Errors"][0]["Field"]) == (400, field)


def test_unknown_updates(standing: Client) -> None:
    """A row that does not exist is a 404."""
    row = standing.rows("/ActionUpdates", CampaignId="1000")[0]
    for update_id in (f"{row['Id']}9", row["ActionId"], "x", "1000.4636.1.95000000"):
        assert standing.get(f"/ActionUpdates/{update_id}").status_code == 404


def test_pages(ask: Ask) -> None:
    """Pages hold every row once, newest first unless there is no order; ten are all that can be read."""
    client = ask(World(days=8, per_day=600))
    for rule in ("created", "shuffled"):
        client.world.rules = Rules(order=rule)
        body = client.get("/ActionUpdates", CampaignId="1000", PageSize="2000").json()
        rows = list(body["ActionUpdates"])
        while body["@nextpageuri"]:
            body = client.http.get(body["@nextpageuri"]).json()
            rows += body["ActionUpdates"]
        dates = [row["UpdateDate"] for row in rows]
        assert len({row["Id"] for row in rows}) == len(rows) == int(body["@total"]) > 4000
        assert (dates == sorted(dates, reverse=True)) is (rule == "created")
    client.world.rules = Rules(most_a_page=100)
    assert client.get("/ActionUpdates", CampaignId="1000").json()["Message"].startswith("The request matches too many")


def test_scope(ask: Ask) -> None:
    """A token may lack only the feed, or have only the feed."""
    without = ask(scopes=set(SCOPES) - {"ActionUpdates"})
    assert without.get("/ActionUpdates", CampaignId="1000").status_code == 403
    assert without.get("/ActionUpdates/x").status_code == 403
    assert without.get("/Actions", CampaignId="1000").status_code == 200
    alone = ask(scopes={"ActionUpdates"})
    assert alone.get("/ActionUpdates", CampaignId="1000").status_code == 200


def test_visibility_lag(ask: Ask) -> None:
    """A change shows in the feed when it shows in the lists, and then reports its earlier instant."""
    client = ask(World(days=1, per_day=0, rules=Rules(visibility_lag=3600)))
    action_id = order(client.world)
    recorded = client.world.now
    while client.get(f"/Actions/{action_id}").status_code == 404:
        assert feed(client.world) == []
        client.world.advance(seconds=60)
    assert {instant(row["UpdateDate"]) for row in feed(client.world)} == {recorded}


def test_lists_of_a_replica_that_lags(world: World) -> None:
    """Actions that a replica does not know yet have no rows there."""
    unknown, other = order(world), order(world)
    world.rules = Rules(lagging=(unknown,))
    assert {row["ActionId"] for row in feed(world)} == {other}


def test_unknown_fields(world: World) -> None:
    """From an instant on, rows carry undocumented fields, manual ones included."""
    order(world)
    world.rules = Rules(unknown_fields=world.now)
    assert [list(row) for row in feed(world)] == [[*FIELDS, "LoyaltyTier", "AttributionModel"]] * 2


def test_rows_of_orders(world: World) -> None:
    """An account on the level of orders has one row per change, without a Sku; it adds up to the actions."""
    world.rules = Rules(feed_rows="order")
    action_id = order(world)
    world.advance(seconds=1)
    world.set_item(action_id, "B", SaleAmount="3.50")
    assert rows_of(world, action_id) == [
        ("", "3", "15.00", "1.00", "IR_BLANK"),
        ("", "3", "-1.50", "0.00", "ORDER_UPDATE"),
    ]
    grown = World(days=60, per_day=10, rules=Rules(feed_rows="order"))
    rows = feed(grown)
    assert {(row["Sku"], row["Category"]) for row in rows} == {("", "")}
    assert max(Counter((row["ActionId"], row["UpdateDate"]) for row in rows).values()) == 1
    assert worth(rows) == amounts(grown)


def test_reversals_as_one_row(world: World) -> None:
    """A reversal and a restoration may have one row without a Sku; actions still add up, their items do not."""
    world.rules = Rules(feed_turns="order")
    action_id = order(world)
    world.reverse(action_id)
    assert rows_of(world, action_id)[2:] == [("", "3", "-15.00", "-1.00", "ITEM_RETURNED")]
    world.restore(action_id)
    assert rows_of(world, action_id)[3:] == [("", "3", "15.00", "1.00", "RESET")]
    grown = World(days=60, per_day=20, rules=Rules(feed_turns="order"))
    rows = feed(grown)
    assert {row["Disposition"] for row in rows if row["Sku"] == ""} == {"ITEM_RETURNED", "RESET"}
    assert worth(rows) == amounts(grown)
    assert derived(rows) != listed(grown)


def test_restorations_without_rows(world: World) -> None:
    """A restoration may have no row: the action's rows then add up to nothing."""
    world.rules = Rules(feed_restorations=False)
    action_id = order(world)
    world.reverse(action_id)
    world.restore(action_id)
    assert len(rows_of(world, action_id)) == 4
    assert (worth(feed(world)), amounts(world)) == ({action_id: Decimal(0)}, {action_id: Decimal(15)})
    grown = World(days=60, per_day=20, rules=Rules(feed_restorations=False))
    assert "RESET" not in {row["Disposition"] for row in feed(grown)}


def test_approvals_with_rows(world: World) -> None:
    """An approval may also have a row for each item, at its instant, with zero differences."""
    world.rules = Rules(feed_approvals=True)
    by_hand, by_date = order(world), order(world)
    world.approve(by_hand)
    nothing = [("A", "2", "0.00", "0.00", "IR_BLANK"), ("B", "1", "0.00", "0.00", "IR_BLANK")]
    assert rows_of(world, by_hand)[2:] == nothing
    assert len(rows_of(world, by_date)) == 2
    world.advance(days=40)
    assert rows_of(world, by_date)[2:] == nothing
    assert {row["State"] for row in feed(world) if row["DeltaAmount"] == "0.00"} == {"APPROVED"}
    grown = World(days=60, per_day=10, rules=Rules(feed_approvals=True))
    assert {row["ActionId"] for row in feed(grown) if row["State"] == "APPROVED"} == {
        row["Id"] for row in grown.truth("1000").to_pylist() if row["State"] == "APPROVED"
    }
    assert derived(feed(grown)) == listed(grown)


@pytest.mark.parametrize("twins", ["apart", "together"])
def test_a_sku_listed_twice(world: World, twins: Literal["apart", "together"]) -> None:
    """Items with the same Sku have rows of their own, and only the changed one appears again, or one row together."""
    world.rules = Rules(feed_twins=twins)
    action_id = world.create(items=[BOTH[0], BOTH[0]])
    world.advance(seconds=1)
    world.set_item(action_id, "A", SaleAmount="8.00", Quantity="1")
    told = rows_of(world, action_id)
    if twins == "apart":
        assert told[:2] == [("A", "2", "10.00", "1.00", "IR_BLANK")] * 2
        assert told[2:] == [("A", "1", "-2.00", "0.00", "ORDER_UPDATE")]
    else:
        assert told == [("A", "4", "20.00", "2.00", "IR_BLANK"), ("A", "3", "-2.00", "0.00", "ORDER_UPDATE")]


@pytest.mark.parametrize("twins", ["apart", "together"])
def test_twins_add_up(twins: Literal["apart", "together"]) -> None:
    """However items with the same Sku are reported, they add up to the list's items of that Sku."""
    world = World(days=60, per_day=10, rules=Rules(duplicate_skus=0.5, feed_twins=twins))
    rows = feed(world)
    lines = Counter((row["ActionId"], row["Sku"], row["UpdateDate"]) for row in rows)
    assert max(lines.values()) == (2 if twins == "apart" else 1)
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for item in world.item_truth().to_pylist():
        if item["ActionId"].startswith("1000."):
            sums[item["ActionId"], item["Sku"]] += Decimal(item["SaleAmount"])
            counts[item["ActionId"], item["Sku"]] += int(item["Quantity"])
    told = derived(row | {"Quantity": "1"} for row in rows)
    assert {key: told[key][0] for key in sums} == sums
    if twins == "together":
        assert {key: int(item[2]) for key, item in derived(rows).items()} == counts


def test_quantities_as_deltas(world: World) -> None:
    """Quantity may be the difference made by a change: the sums are then the items' quantities."""
    world.rules = Rules(feed_quantity="delta")
    action_id = order(world)
    world.advance(seconds=1)
    world.set_item(action_id, "A", Quantity="5")
    world.remove_item(action_id, "B")
    assert [row[:2] for row in rows_of(world, action_id)] == [("A", "2"), ("B", "1"), ("A", "3"), ("B", "-1")]
    grown = World(days=60, per_day=10, rules=Rules(feed_quantity="delta"))
    sums: Counter[tuple[str, str]] = Counter()
    for row in feed(grown):
        sums[row["ActionId"], row["Sku"]] += int(row["Quantity"])
    assert +sums == {key: int(item[2]) for key, item in listed(grown).items()}


def test_the_quantity_of_what_was_taken_off(world: World) -> None:
    """A removed item may keep its last quantity in the feed, although it is worth nothing any more."""
    world.rules = Rules(feed_removed="last")
    action_id = order(world)
    world.remove_item(action_id, "A")
    assert rows_of(world, action_id)[2:] == [("A", "2", "-10.00", "-1.00", "ORDER_UPDATE")]
    grown = World(days=60, per_day=20, rules=Rules(feed_removed="last"))
    items = listed(grown)
    gone = {key: item for key, item in derived(feed(grown)).items() if key not in items}
    assert gone
    assert {item[:2] for item in gone.values()} == {(Decimal(0), Decimal(0))}


def test_late_rows(world: World) -> None:
    """Rows may show up late, each at its own time, and then report their earlier instants; in the end they add up."""
    world.rules = Rules(feed_lag=7200)
    action_id = world.create(items=[{"Sku": str(place), "SaleAmount": "1.00"} for place in range(20)])
    recorded, counts = world.now, set()
    for _ in range(8):
        world.advance(seconds=900)
        counts.add(len(rows_of(world, action_id)))
    assert len(counts) > 4
    assert max(counts) == 20
    assert {instant(row["UpdateDate"]) for row in feed(world)} == {recorded}
    grown = World(days=10, per_day=200, rules=Rules(feed_lag=7200))
    assert derived(feed(grown)) != listed(grown)


def test_old_rows_are_gone() -> None:
    """Rows may be kept only for some days: what changed an action before that is in no list, by no date."""
    world = World(days=60, per_day=10)
    bounds = {"ActionDateStart": "2025-12-10T00:00:00Z", "ActionDateEnd": "2025-12-31T00:00:00Z"}
    before = ask_world(world, "/ActionUpdates", CampaignId="1000", **bounds)["ActionUpdates"]
    world.rules = Rules(feed_keeps_days=10)
    after = ask_world(world, "/ActionUpdates", CampaignId="1000", **bounds)["ActionUpdates"]
    edge = world.now - timedelta(days=10)
    assert after == [row for row in before if instant(row["UpdateDate"]) >= edge]
    assert 0 < len(after) < len(before)
    with pytest.raises(Refusal, match="does not exist"):
        ask_world(world, f"/ActionUpdates/{before[-1]['Id']}")


def test_deltas_that_do_not_add_up() -> None:
    """A share of actions has deltas that add up to more than they are worth."""
    world = World(days=60, per_day=10, rules=Rules(feed_odd_deltas=0.3))
    sums, actions = worth(feed(world)), amounts(world)
    apart = Counter(sums[action_id] - actions[action_id] for action_id in actions)
    assert set(apart) == {Decimal("0.00"), Decimal("1.00")}
    assert 0.2 < apart[Decimal("1.00")] / len(actions) < 0.4


def test_items_that_the_feed_lacks() -> None:
    """A share of the listed items has no rows; those of the others are right."""
    world = World(days=60, per_day=10, rules=Rules(feed_lacks_items=0.2))
    told, items = derived(feed(world)), listed(world)
    assert told.items() < items.items()
    assert 0.7 < len(told) / len(items) < 0.9


def test_items_that_the_list_lacks() -> None:
    """A share of actions has a row for an item that is not listed; as it is worth nothing, they still add up."""
    world = World(days=60, per_day=10, rules=Rules(feed_adds_items=0.2))
    rows, items = feed(world), listed(world)
    more = {key: item for key, item in derived(rows).items() if key not in items}
    assert {(sku, *item) for (_, sku), item in more.items()} == {("SHIPPING", Decimal(0), Decimal(0), "1", "Shipping")}
    assert 0.1 < len(more) / len(amounts(world)) < 0.3
    assert worth(rows) == amounts(world)


def test_items_under_another_sku() -> None:
    """A share of items has a Sku that the list does not have, through all changes; actions still add up."""
    world = World(days=60, per_day=10, rules=Rules(feed_renames_items=0.2))
    order(world)
    rows, items = feed(world), listed(world)
    renamed = {key for key in derived(rows) if key not in items}
    assert 0.1 < len(renamed) / len(items) < 0.3
    assert {(action_id, sku.removeprefix("PARENT-")): item for (action_id, sku), item in derived(rows).items()} == items
    assert worth(rows) == amounts(world)


def test_rules_of_the_feed_leave_the_lists_alone() -> None:
    """Whatever the feed says, actions and items are the same; without these rules the feed is the same too."""
    world = World(days=30, per_day=10)
    order(world)
    before = feed(world), world.truth(), world.item_truth()
    world.rules = Rules(feed_rows="order", feed_lag=60, feed_odd_deltas=1.0, feed_approvals=True)
    assert feed(world) != before[0]
    assert world.truth().equals(before[1])
    assert world.item_truth().equals(before[2])
    world.rules = Rules()
    assert feed(world) == before[0]

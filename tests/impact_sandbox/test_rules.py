"""Each rule selects another reading of what the API's sources leave open."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest
from impact_sandbox import Rules, World

from tests.impact_sandbox.conftest import Ask, Client, Row

WIDE = {"StartDate": "2025-12-02T12:00:00Z", "EndDate": "2026-01-15T12:00:00Z"}


def approvals(world: World, days: int) -> dict[str, Row]:
    """Return the actions whose state became APPROVED within some days."""
    before = {row["Id"] for row in world.truth().to_pylist() if row["State"] != "PENDING"}
    world.advance(days=days)
    return {r["Id"]: r for r in world.truth().to_pylist() if r["State"] == "APPROVED" and r["Id"] not in before}


def test_typed_wire(ask: Ask) -> None:
    """The typed wire format has the same values as exact numbers, nulls and UTC timestamps with milliseconds."""
    client = ask()
    created = client.world.create(Amount="5.10", Payout="x", ClearedDate="", Extra="1")
    strings = {row["Id"]: row for row in client.actions()}
    client.world.rules = Rules(wire="typed")
    text = client.get("/Actions", CampaignId="1000").text
    assert '"Amount":5.10,' in text
    for row in client.actions():
        old = strings[row["Id"]]
        assert list(row) == list(old)
        assert row["CampaignId"] == 1000
        assert row["ClearedDate"] is None
        assert row["EventDate"][-5:] == ".000Z"
        assert datetime.fromisoformat(row["EventDate"]) == datetime.fromisoformat(old["EventDate"])
        if row["Id"] != created:
            assert f"{row['Payout']:.2f}" == old["Payout"]
            assert client.action(row["Id"]) == row
    row = client.action(created)
    assert (row["Payout"], row["Extra"], row["Oid"]) == ("x", "1", strings[created]["Oid"])
    item = client.items(created)[0]
    assert (item["SaleAmount"], item["Quantity"], item["AdjustmentDate"]) == (5.1, 1, None)


def test_single_as_object(ask: Ask) -> None:
    """A list of one is a bare object; longer and empty lists stay lists."""
    client = ask(World(days=1, per_day=0, rules=Rules(single_as_object=True)))
    assert client.get("/Actions", CampaignId="1000").json()["Actions"] == []
    action_id = client.world.create()
    assert client.get("/Actions", CampaignId="1000").json()["Actions"] == client.action(action_id)
    assert client.get(f"/Actions/{action_id}/Items").json()["ActionItems"]["Sku"] == "12345"
    client.world.create()
    assert len(client.get("/Actions", CampaignId="1000").json()["Actions"]) == 2


def test_null_bodies(ask: Ask) -> None:
    """Every n-th list answer is null."""
    client = ask(rules=Rules(null_bodies=3))
    bodies = [client.get("/Campaigns").json() for _ in range(6)]
    assert [body is None for body in bodies] == [False, False, True, False, False, True]


def test_items_key(ask: Ask) -> None:
    """The list of items has either of two keys."""
    client = ask()
    path = f"/Actions/{client.actions()[0]['Id']}/Items"
    assert "ActionItems" in client.get(path).json()
    client.world.rules = Rules(items_key="Items")
    assert "Items" in client.get(path).json()


def test_shuffled(ask: Ask) -> None:
    """Without an order, pages still hold every match once."""
    client = ask(World(days=8, per_day=600))
    ordered = [row["Id"] for row in client.actions()]
    client.world.rules = Rules(order="shuffled")
    pages = [[row["Id"] for row in client.actions(PageSize="2000", Page=page)] for page in ("1", "2")]
    assert pages[0] != ordered[:2000]
    assert sorted(pages[0] + pages[1]) == sorted(ordered)


def test_unknown_fields(ask: Ask) -> None:
    """From an instant on, records carry undocumented fields."""
    client = ask(rules=Rules(unknown_fields=datetime(2026, 1, 16, tzinfo=UTC)))
    action_id = client.world.create()
    names = client.world.truth().column_names
    assert list(client.action(action_id)) == names
    client.world.advance(days=1)
    row = client.action(action_id)
    assert list(row) == [*names, "LoyaltyTier", "AttributionModel"] == client.world.truth().column_names
    assert client.items(action_id)[0]["LoyaltyTier"] == "GOLD"
    assert all(row["LoyaltyTier"] == "GOLD" for row in client.actions())


def test_unknown_states(ask: Ask) -> None:
    """Actions become LOCKED and PAID, which the State filter for APPROVED does not find."""
    client = ask(World(days=90, per_day=10, rules=Rules(unknown_states=True)))
    created = client.world.create(LockingDate="2026-01-16T00:00:00-08:00")
    client.world.advance(days=2)
    assert client.action(created)["State"] == "LOCKED"
    rows = client.world.truth().to_pylist()
    for row in rows:
        locked = datetime.fromisoformat(row["LockingDate"]) <= client.world.now
        late = "PAID" if row["ClearedDate"] else "LOCKED"
        assert row["State"] in ({late, "REVERSED"} if locked else {"PENDING", "APPROVED", "REVERSED"})
    assert {"LOCKED", "PAID", "APPROVED"} < {row["State"] for row in rows}
    past = {"LockingDateStart": "2025-12-15T00:00:00Z", "LockingDateEnd": "2026-01-17T00:00:00Z"}
    assert client.actions(**past)
    assert client.actions(**past, State="APPROVED") == []


def test_seven_day_default_on_all(ask: Ask) -> None:
    """A query by LockingDate alone may be limited to what was updated in the past 7 days."""
    client = ask()
    past = {"LockingDateStart": "2025-12-15T00:00:00Z", "LockingDateEnd": "2026-01-15T00:00:00Z"}
    everything = client.actions(**past)
    client.world.rules = Rules(seven_day_default_on_all=True)
    assert len(client.actions(**past)) < len(everything) / 10
    wide = {"StartDate": "2025-12-05T00:00:00Z", "EndDate": "2026-01-15T12:00:00Z"}
    assert 0 < len(client.actions(**past, **wide)) < len(everything)


def test_filters(ask: Ask) -> None:
    """A list holds what meets all filters, or, by this rule, what meets any of them."""
    client = ask()
    by_date = {"ActionDateStart": "2026-01-01T00:00:00Z", "ActionDateEnd": "2026-01-03T00:00:00Z"}
    dated, approved = ({row["Id"] for row in client.actions(**one, **WIDE)} for one in (by_date, {"State": "APPROVED"}))
    client.world.rules = Rules(filters="any")
    assert {row["Id"] for row in client.actions(**by_date, State="APPROVED")} >= dated | approved
    client.world.rules = Rules()
    assert {row["Id"] for row in client.actions(**by_date, State="APPROVED", **WIDE)} == dated & approved


def test_visibility_lag(ask: Ask) -> None:
    """A created or changed row shows up to an hour late, and then reports its earlier instants."""
    client = ask(World(days=3, per_day=400, rules=Rules(visibility_lag=3600)))
    world = client.world
    before = {row["Id"] for row in world.truth().to_pylist()}
    world.advance(hours=1)
    late = [
        row
        for row in world.truth().to_pylist()
        if row["Id"] not in before and datetime.fromisoformat(row["CreationDate"]) <= world.now - timedelta(hours=1)
    ]
    assert late
    action_id = world.create(Amount="1.00")
    assert client.get(f"/Actions/{action_id}").status_code == 404
    world.advance(hours=1)
    world.modify(action_id, Amount="2.00")
    changed = world.now
    assert client.action(action_id)["Amount"] == client.items(action_id)[0]["SaleAmount"] == "1.00"
    world.advance(hours=1)
    assert client.action(action_id)["Amount"] == client.items(action_id)[0]["SaleAmount"] == "2.00"
    instant = f"{changed:%Y-%m-%dT%H:%M:%SZ}"
    assert [row["Id"] for row in client.actions(StartDate=instant, EndDate=instant)] == [action_id]


def test_lock_days() -> None:
    """Actions lock after any number of days."""
    world = World(days=10, per_day=10, rules=Rules(lock_days=5))
    for row in world.truth("1000").to_pylist():
        lock, created = (datetime.fromisoformat(row[name]).date() for name in ("LockingDate", "CreationDate"))
        assert (lock - created).days == 5


def test_shared_locking_day() -> None:
    """All actions of a month lock at one instant of the next, in every campaign."""
    world = World(days=14, per_day=20, rules=Rules(shared_locking_day=28))
    world.create()
    assert {row["LockingDate"] for row in world.truth().to_pylist() if row["CreationDate"] > "2026-01-01"} == {
        "2026-02-28T00:00:00-08:00"
    }


def test_early_approval_moves_lock() -> None:
    """Early approvals either leave LockingDate in the future or set it to their instant."""
    ahead = approvals(World(days=60, per_day=20), 20)
    moved = approvals(World(days=60, per_day=20, rules=Rules(early_approval_moves_lock=True)), 20)
    assert any(not row["LockingDate"][11:].startswith("00:00:00") for row in moved.values())
    assert all(row["LockingDate"][11:].startswith("00:00:00") for row in ahead.values())
    now = "2026-02-04T12:00:00+00:00"
    assert all(datetime.fromisoformat(row["LockingDate"]) <= datetime.fromisoformat(now) for row in moved.values())
    assert any(datetime.fromisoformat(row["LockingDate"]) > datetime.fromisoformat(now) for row in ahead.values())


def test_open_ended() -> None:
    """Some actions have no LockingDate; some of those get one late, others never."""
    world = World(days=300, per_day=5, rules=Rules(open_ended=0.5))
    rows = [row for row in world.truth().to_pylist() if row["CreationDate"] < "2025-07"]
    kinds = Counter((row["LockingDate"] == "", row["State"]) for row in rows)
    assert kinds[True, "PENDING"] > 20
    assert kinds[True, "REVERSED"] > 2
    late = [
        row
        for row in rows
        if row["LockingDate"]
        and datetime.fromisoformat(row["LockingDate"]) - datetime.fromisoformat(row["CreationDate"])
        > timedelta(days=62)
    ]
    assert len(late) > 10


@pytest.mark.parametrize("touching", [False, True])
def test_clearing_touches(ask: Ask, *, touching: bool) -> None:
    """Whether clearing counts as an update is a rule."""
    client = ask(World(days=80, per_day=10, rules=Rules(clearing_touches=touching)))
    client.world.advance(days=5)
    recent = {"StartDate": "2026-01-15T12:00:00Z", "EndDate": "2026-01-20T12:00:00Z"}
    assert any(row["ClearedDate"] for row in client.actions(**recent)) == touching


@pytest.mark.parametrize("touching", [True, False])
def test_reversal_touches(ask: Ask, *, touching: bool) -> None:
    """Whether a reversal counts as an update is a rule."""
    client = ask(World(days=60, per_day=20, rules=Rules(reversal_touches=touching)))
    client.world.advance(days=5)
    recent = {"StartDate": "2026-01-15T12:00:00Z", "EndDate": "2026-01-20T12:00:00Z", "State": "REVERSED"}
    assert bool(client.actions(**recent)) == touching


def test_approval_delay() -> None:
    """Approval may come days after the locking date."""
    world = World(days=60, per_day=10, rules=Rules(approval_delay_days=3))
    created = world.create(LockingDate="2026-01-16T00:00:00-08:00")
    world.advance(days=3)
    rows = {row["Id"]: row for row in world.truth().to_pylist()}
    assert rows[created]["State"] == "PENDING"
    waiting = [
        row
        for row in rows.values()
        if row["State"] == "PENDING" and datetime.fromisoformat(row["LockingDate"]) <= world.now
    ]
    assert len(waiting) > 5
    assert all(world.now - datetime.fromisoformat(row["LockingDate"]) < timedelta(days=3) for row in waiting)


def test_duplicate_skus() -> None:
    """A share of actions list one Sku twice."""
    world = World(days=10, per_day=20, rules=Rules(duplicate_skus=0.5))
    lines = Counter((item["ActionId"], item["Sku"]) for item in world.item_truth().to_pylist())
    assert 10 < sum(count == 2 for count in lines.values()) < 100


def test_rules_retell(ask: Ask) -> None:
    """Setting a rule back gives the world as it was."""
    client = ask()
    before = client.world.truth()
    client.world.rules = Rules(lock_days=10, visibility_lag=60)
    assert not client.world.truth().equals(before)
    client.world.rules = Rules()
    assert client.world.truth().equals(before)


def instants(client: Client, start: datetime, end: datetime) -> set[str]:
    """Return the LockingDates of the actions that lock between two instants."""
    bounds = {"LockingDateStart": f"{start:%Y-%m-%dT%H:%M:%SZ}", "LockingDateEnd": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    return {row["LockingDate"] for row in client.actions(**bounds)}


@pytest.mark.parametrize(
    ("precision", "reach"), [("millisecond", 0), ("second", 1), ("minute", 60), ("day", 24 * 3600)]
)
def test_precision(ask: Ask, precision: str, reach: int) -> None:
    """Bounds, and the dates compared with them, are cut to a unit: a window returns all units that it touches."""
    client = ask(World(days=1, per_day=0, rules=Rules(precision=precision)))  # type: ignore[arg-type]
    start = datetime(2026, 2, 3, tzinfo=UTC)
    last = (start + timedelta(seconds=reach, milliseconds=-1)).isoformat(timespec="milliseconds")
    client.world.create(LockingDate=last)
    client.world.create(LockingDate=(start + timedelta(seconds=reach + 1)).isoformat())
    assert instants(client, start, start) == ({last} if reach else set())


def test_exclusive_ends(ask: Ask) -> None:
    """The end of a range is excluded, its start is included."""
    client = ask(World(days=1, per_day=0, rules=Rules(exclusive_ends=True)))
    lock = datetime(2026, 2, 3, tzinfo=UTC)
    client.world.create(LockingDate=lock.isoformat())
    assert instants(client, lock, lock + timedelta(seconds=1)) == {lock.isoformat()}
    assert instants(client, lock - timedelta(seconds=1), lock) == set()
    assert instants(client, lock, lock) == set()


def test_most_a_page(ask: Ask) -> None:
    """Pages hold fewer actions than requested, as the envelope says, and ten such pages are all that can be read."""
    client = ask(World(days=1, per_day=0, rules=Rules(most_a_page=3)))
    for _ in range(30):
        client.world.create()
    body = client.get("/Actions", CampaignId="1000", PageSize="20000").json()
    assert (len(body["Actions"]), body["@pagesize"], body["@numpages"], body["@total"]) == (3, "3", "10", "30")
    client.world.create()
    assert client.get("/Actions", CampaignId="1000", PageSize="20000").status_code == 400


@pytest.mark.parametrize(
    ("refusal", "status", "fields"),
    [
        ("plain", 400, []),
        ("page_size", 400, ["PageSize"]),
        ("dates", 400, ["LockingDateStart", "LockingDateEnd"]),
        ("ok", 200, []),
    ],
)
@pytest.mark.parametrize("total", [True, False])
def test_refusal(ask: Ask, refusal: str, status: int, fields: list[str], *, total: bool) -> None:
    """Too many matches are refused in four forms, each with and without their number."""
    rules = Rules(most_a_page=1, refusal=refusal, refusal_names_total=total)  # type: ignore[arg-type]
    client = ask(World(days=1, per_day=0, rules=rules))
    for _ in range(11):
        client.world.create()
    answer = client.get("/Actions", CampaignId="1000", **client.ahead())
    body = answer.json()
    assert (answer.status_code, body["Status"]) == (status, "ERROR")
    assert [error["Field"] for error in body.get("Errors", [])] == fields
    assert ("11" in body["Message"]) is total


def test_refused(ask: Ask) -> None:
    """A campaign is refused for a reason that has nothing to do with the request."""
    client = ask(rules=Rules(refused=(("1000", "Campaign 1000 is suspended"),)))
    answer = client.get("/Actions", CampaignId="1000")
    assert (answer.status_code, answer.json()["Message"]) == (400, "Campaign 1000 is suspended")
    assert client.get("/Actions", CampaignId="2000").status_code == 200


def test_slow(ask: Ask) -> None:
    """Lists by one date with many matches end in a 504; lists by another are answered."""
    client = ask(rules=Rules(slow=("locking", 3)))
    assert client.get("/Actions", CampaignId="1000", **client.ahead()).status_code == 504
    assert client.get("/Actions", CampaignId="1000").status_code == 200


def test_total_too_high_and_listed_twice(ask: Ask) -> None:
    """Lists that hold certain actions report one more than they hold; a page lists certain actions twice."""
    client = ask(World(days=1, per_day=0))
    odd, other = client.world.create(), client.world.create()
    client.world.rules = Rules(total_too_high=(odd,))
    assert client.get("/Actions", CampaignId="1000").json()["@total"] == "3"
    client.world.rules = Rules(listed_twice=(odd,))
    body = client.get("/Actions", CampaignId="1000").json()
    assert body["@total"] == "2"
    assert sorted(row["Id"] for row in body["Actions"]) == sorted([odd, odd, other])


def test_broken(ask: Ask) -> None:
    """The endpoints of certain actions answer 500, those of their items too; lists and other actions are answered."""
    client = ask(World(days=1, per_day=0))
    odd, other = client.world.create(), client.world.create()
    client.world.rules = Rules(broken=(odd,))
    sku = "/Items/12345"
    assert [client.get(f"/Actions/{odd}{path}").status_code for path in ("", "/Items", sku)] == [500] * 3
    assert [client.get(f"/Actions/{other}{path}").status_code for path in ("", "/Items", sku)] == [200] * 3
    assert {row["Id"] for row in client.actions()} == {odd, other}


def test_lagging(ask: Ask) -> None:
    """What a lagging replica does not know is in no list and has no endpoint; totals count only the others."""
    client = ask(World(days=1, per_day=0))
    unknown, other = client.world.create(), client.world.create()
    client.world.rules = Rules(lagging=(unknown,))
    assert [client.get(f"/Actions/{unknown}{path}").status_code for path in ("", "/Items")] == [404, 404]
    body = client.get("/Actions", CampaignId="1000").json()
    assert (body["@total"], [row["Id"] for row in body["Actions"]]) == ("1", [other])
    assert client.items(other)
    client.world.rules = Rules()
    assert client.action(unknown)["Id"] == unknown


def test_lagging_share(ask: Ask) -> None:
    """A share of all actions is unknown, the same ones in lists and alone, until the replica has caught up."""
    client = ask(World(days=7, per_day=30))
    truth = {row["Id"] for row in client.actions()}
    client.world.rules = Rules(lagging_share=0.3)
    known = {row["Id"] for row in client.actions()}
    assert known < truth
    assert 0.15 < 1 - len(known) / len(truth) < 0.45
    assert known == {row["Id"] for row in client.actions()}
    for some, status in ((known, 200), (truth - known, 404)):
        assert {client.get(f"/Actions/{id_}").status_code for id_ in sorted(some)[:5]} == {status}
    client.world.rules = Rules(lagging_share=1.0)
    assert client.actions() == []


@pytest.mark.parametrize(("alone", "status"), [("answers", 200), ("unknown", 404), ("forbidden", 403)])
def test_unlisted_and_campaign_alone(ask: Ask, alone: Literal["answers", "unknown", "forbidden"], status: int) -> None:
    """Campaigns are missing from the list; their own endpoints may still answer, and their actions are returned."""
    client = ask(World(days=7, per_day=30, rules=Rules(unlisted=("1000",), campaign_alone=alone)))
    body = client.get("/Campaigns").json()
    assert (body["@total"], [row["Id"] for row in body["Campaigns"]]) == ("1", ["2000"])
    assert client.get("/Campaigns/1000").status_code == status
    assert client.get("/Campaigns/9").status_code == (404 if alone == "answers" else status)
    assert client.actions()
    client.world.rules = Rules(unlisted=("1000", "2000"))
    body = client.get("/Campaigns").json()
    assert (body["@total"], body["Campaigns"]) == ("0", [])
    assert client.get("/Campaigns/1000").json()["Name"] == "Acme Campaign"


def test_a_campaign_that_is_closed_has_no_more_conversions() -> None:
    """The actions of a closed campaign live on as they would have; nothing new comes, and its state says so."""
    left_open, closed = World(days=20, per_day=10), World(days=20, per_day=10)
    closed.close_campaign("1000")
    assert [campaign.state for campaign in closed.campaigns] == ["CLOSED", "ACTIVE"]
    had = set(left_open.truth("1000")["Id"].to_pylist())
    for one in (left_open, closed):
        one.advance(days=30)
    lived = [row for row in left_open.truth("1000").to_pylist() if row["Id"] in had]
    assert closed.truth("1000").to_pylist() == lived
    assert closed.truth("2000").equals(left_open.truth("2000"))


def test_items_may_not_add_up() -> None:
    """A share of the actions has items that are worth more than the action."""
    one = World(days=5, per_day=10, rules=Rules(odd_items=0.5))
    worth: dict[str, Decimal] = {}
    for item in one.item_truth().to_pylist():
        worth[item["ActionId"]] = worth.get(item["ActionId"], Decimal(0)) + Decimal(item["SaleAmount"])
    apart = [worth[row["Id"]] - Decimal(row["Amount"]) for row in one.truth().to_pylist()]
    assert set(apart) == {Decimal("0.00"), Decimal("1.00")}

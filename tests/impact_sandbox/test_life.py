"""What becomes of actions: the same however the clock moves, and by the documented rules."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from impact_sandbox import Campaign, Rules, World

from tests.impact_sandbox.conftest import Ask, Row


def small() -> World:
    """Return a world of some 800 actions."""
    return World(days=70, per_day=12)


def by_id(world: World) -> dict[str, Row]:
    """Return the truth by action."""
    return {row["Id"]: row for row in world.truth().to_pylist()}


def test_same_seed() -> None:
    """The same seed gives the same world, another seed another one."""
    truths = [World(seed=seed, days=20, per_day=12).truth() for seed in (1, 1, 2)]
    assert truths[0].equals(truths[1])
    assert not truths[0].equals(truths[2])


def test_stepping_and_jumping() -> None:
    """Stepping day by day and jumping a month give the same world, items and all."""
    stepped, jumped = small(), small()
    for _ in range(35):
        stepped.advance(days=1)
    jumped.advance(days=35)
    assert stepped.now == jumped.now
    assert stepped.truth().equals(jumped.truth())
    assert stepped.item_truth().equals(jumped.item_truth())


def test_clock_back() -> None:
    """Setting the clock back shows the world as it was."""
    world = small()
    before, then = world.truth(), world.now
    world.advance(days=20)
    assert not world.truth().equals(before)
    world.set_now(then)
    assert world.truth().equals(before)


def test_history_is_independent_of_its_length() -> None:
    """A longer history holds a shorter one."""
    long, short = by_id(World(days=70, per_day=12)), by_id(World(days=30, per_day=12))
    assert short.items() <= long.items()


def test_arrival() -> None:
    """Conversions arrive through each day, as many as requested, split by share."""
    world = World(days=30, per_day=10)
    start = world.truth().num_rows
    for _ in range(10):
        world.advance(days=1)
    assert 97 <= world.truth().num_rows - start <= 103
    counts = Counter(row["CampaignId"] for row in world.truth().to_pylist())
    assert 3.5 < counts["1000"] / counts["2000"] < 4.5


def test_order_of_dates() -> None:
    """Click, event, creation, locking and clearing come in this order; nothing is from the future."""
    world = small()
    for row in world.truth().to_pylist():
        dates = [datetime.fromisoformat(row[f"{name}Date"]) for name in ("Referring", "Event", "Creation", "Locking")]
        assert dates == sorted(dates)
        assert dates[2] <= world.now
        if row["ClearedDate"]:
            assert dates[3] + timedelta(days=14) <= datetime.fromisoformat(row["ClearedDate"]) <= world.now


def test_shares_of_lives() -> None:
    """About one action in seven is modified and one in twelve reversed; the others end approved."""
    world = World(days=200, per_day=20)
    rows = world.truth().to_pylist()
    old = [row for row in rows if datetime.fromisoformat(row["LockingDate"]) <= world.now]
    states = Counter(row["State"] for row in old)
    modified = sum(row["Amount"] != row["IntendedAmount"] for row in old if row["State"] == "APPROVED")
    assert states.keys() == {"APPROVED", "REVERSED"}
    assert 0.04 < states["REVERSED"] / len(old) < 0.09
    assert 0.1 < modified / len(old) < 0.2
    early = [row for row in rows if row["State"] == "APPROVED" and row not in old]
    assert early
    assert all(row["ClearedDate"] == "" for row in early)


def test_money_adds_up_over_time() -> None:
    """At any time items add up to their action, and deltas and intended amounts match its changes."""
    world = World(days=40, per_day=15)
    last: dict[str, Row] = {}
    for _ in range(30):
        world.advance(days=1)
        sums: Counter[str] = Counter()
        for item in world.item_truth().to_pylist():
            sums[item["ActionId"]] += Decimal(item["SaleAmount"])  # type: ignore[assignment]
        rows = by_id(world)
        for action_id, row in rows.items():
            assert sums[action_id] == Decimal(row["Amount"])
            old = last.get(action_id)
            if old and old["Amount"] != row["Amount"]:
                assert row["IntendedAmount"] == old["IntendedAmount"]
                assert Decimal(row["DeltaAmount"]) == Decimal(row["Amount"]) - Decimal(old["Amount"])
                assert Decimal(row["DeltaPayout"]) == Decimal(row["Payout"]) - Decimal(old["Payout"])
            if row["State"] == "REVERSED":
                assert (row["Amount"], row["Payout"], row["ClientCost"]) == ("0.00", "0.00", "0.0000")
        last = rows


def test_transitions_are_no_updates(ask: Ask) -> None:
    """Approval and clearing do not move last-updated: a sync by StartDate alone never sees them."""
    client = ask(World(days=60, per_day=12))
    before, start = by_id(client.world), client.world.now
    client.world.advance(days=7)
    bounds = {"StartDate": f"{start:%Y-%m-%dT%H:%M:%SZ}", "EndDate": f"{client.world.now:%Y-%m-%dT%H:%M:%SZ}"}
    seen = {row["Id"] for row in client.actions(**bounds)}
    moved: Counter[bool] = Counter()
    for action_id, row in by_id(client.world).items():
        old = before.get(action_id)
        if row["CampaignId"] != "1000" or old == row:
            continue
        if old is None or old["Amount"] != row["Amount"]:
            assert action_id in seen
        else:
            assert (old["State"], row["State"]) in {("PENDING", "APPROVED"), ("APPROVED", "APPROVED")}
            moved[action_id in seen] += 1
    assert moved[False] > 20
    assert moved[True] < 5  # modified and approved within the same week


def test_nothing_but_clearing_after_locking() -> None:
    """Once an action is locked and approved, nothing but its ClearedDate changes."""
    world = World(days=60, per_day=12)
    locked = {
        row["Id"]: row for row in world.truth().to_pylist() if datetime.fromisoformat(row["LockingDate"]) <= world.now
    }
    world.advance(days=60)
    now = by_id(world)
    for action_id, row in locked.items():
        assert {**now[action_id], "ClearedDate": ""} == {**row, "ClearedDate": ""}
        assert (now[action_id]["ClearedDate"] != "") == (row["State"] != "REVERSED")


def test_default_locking() -> None:
    """One campaign locks 30 days after creation at the account's midnight, the other on the 28th of the next month."""
    world = World(days=40, per_day=12)
    for row in world.truth().to_pylist():
        lock, created = (datetime.fromisoformat(row[name]) for name in ("LockingDate", "CreationDate"))
        assert row["LockingDate"][11:19] == "00:00:00"
        if row["CampaignId"] == "1000":
            assert lock.date() - created.date() == timedelta(days=30)
        else:
            assert (lock.day, (lock.month - created.month) % 12) == (28, 1)


@pytest.mark.parametrize("since", [None, datetime(2026, 1, 10, tzinfo=UTC)])
def test_campaign_joins(since: datetime | None) -> None:
    """A campaign that joins brings its history, or begins when told to, and does not affect the others."""
    world = World(days=30, per_day=10)
    before = by_id(world)
    world.add_campaign(Campaign(id="3000", name="Late", share=1, since=since))
    joined = world.truth("3000").num_rows
    assert {key: row for key, row in by_id(world).items() if row["CampaignId"] != "3000"} == before
    assert 290 < joined < 310 if since is None else 45 < joined < 60
    world.rules = Rules(lock_days=10)
    assert world.truth("3000").num_rows == joined


def test_clock_in_real_time() -> None:
    """A ticking clock starts from its reading and can still be set."""
    world = World(days=1, per_day=1)
    start = world.now
    world.tick()
    world.advance(hours=1)
    assert timedelta(hours=1) <= world.now - start < timedelta(hours=1, minutes=1)

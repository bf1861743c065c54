"""The queue of items: its order, its share of the hourly limit, and the cost of a kill."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from impact_sandbox import Request
from impact_source import impact_items
from impact_source.api.budget import Budget
from impact_source.api.client import Client
from impact_source.api.headers import Limits
from impact_source.errors import BudgetSpent
from impact_source.items import run as items
from impact_source.items.queue import Listing, Queued, Status
from impact_source.items.reading import ItemReader
from impact_source.items.spool import Spool
from impact_source.settings import Settings
from impact_source.warehouse import Warehouse
from impact_sync.console.exits import Exit
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account
from tests.support.commands import IMPACT, clean, environment, impact

Make = Callable[..., Account]
ONE = (CAMPAIGNS[0],)


def test_the_most_valuable_is_asked_for_first(account: Make) -> None:
    """Changed and open, new and open, changed and locked, new and locked; of each the larger amount first."""
    world = account(days=1, per_day=0, campaigns=ONE)
    locked_changed = [world.world.create(Amount=amount) for amount in ("30.00", "40.00")]
    world.first_sync(items_max_requests=None)
    locked_new = [world.world.create(Amount=amount) for amount in ("900.00", "800.00")]
    for action in locked_changed:
        world.world.modify(action, Amount="31.00" if action == locked_changed[0] else "41.00")
    world.sync()
    world.world.advance(days=60)
    open_changed = [world.world.create(Amount=amount) for amount in ("5.00", "6.00")]
    world.sync()
    assert world.drain(2).tally.actions == 2  # so that a later change finds them already read
    for action in open_changed:
        world.world.modify(action, Amount="7.00" if action == open_changed[0] else "8.00")
    open_new = [world.world.create(Amount=amount) for amount in ("20.00", "-25.00", "10.00")]
    world.world.advance(hours=2)
    world.sync()
    world.item_requests()
    world.drain(item_concurrency=1)
    assert world.item_requests() == [
        *reversed(open_changed),
        open_new[1],
        open_new[0],
        open_new[2],
        *reversed(locked_changed),
        *locked_new,
    ]


def test_the_last_requests_of_an_hour_go_to_the_most_valuable(account: Make) -> None:
    """If fewer requests are left than could be in flight, only that many of the first actions are requested."""
    world = account(days=1, per_day=0, campaigns=ONE)
    ids = [world.world.create() for _ in range(6)]
    drawn: list[str] = []

    def queue() -> Iterator[Queued]:
        for id_ in ids:
            drawn.append(id_)
            yield Queued(id_, "1000", "")

    with Client(world.settings()) as client, client.budget.sparing(0.0, most=2, wait=False):
        reader = ItemReader(client)
        reading = reader.read(queue())
        found = [next(reading)]
        assert len(drawn) <= 2
        found += reading
        reader.close()
    assert [listing.queued.action_id for listing in found] == ids[:2]
    assert isinstance(reader.stopped, BudgetSpent)


def test_a_tenth_of_the_hour_is_left_to_others(account: Make) -> None:
    """A sync reads items with what its passes leave of the hourly limit, except for a tenth, and ends well."""
    world = account(days=30, per_day=10, requests_per_hour=100)
    summary = world.sync(items_max_requests=None)
    assert summary.exit is Exit.DONE
    assert summary.items is not None
    assert world.sandbox.budget.spent == 90
    assert summary.items.coverage.waiting == len(world.truth()) - summary.items.tally.actions > 0
    assert world.sync(items_max_requests=None).exit is Exit.DONE
    assert world.sandbox.budget.spent <= 100
    assert {request.status for request in world.sandbox.requests} == {200}


@pytest.mark.parametrize("concurrency", [16, pytest.param(1, marks=pytest.mark.long)])
def test_no_more_requests_are_sent_than_allowed(account: Make, concurrency: int) -> None:
    """`items_max_requests` and `--max-requests` are respected exactly, however many are in flight."""
    world = account(days=30, per_day=5)
    world.sync(items_max_requests=17, item_concurrency=concurrency)
    assert len(world.item_requests()) == 17
    assert world.drain(5, item_concurrency=concurrency).ended[0] is Exit.EARLY
    assert len(world.item_requests()) == 5
    assert world.sync(items_max_requests=0).items is not None
    assert world.item_requests() == []


def test_the_drain_waits_for_the_hour_to_turn(account: Make) -> None:
    """`impact items` waits if `max_wait` allows, and continues to the end."""
    world = account(days=10, per_day=10)
    world.sync()
    world.sandbox.budget.limit, world.sandbox.budget.spent, world.sandbox.budget.window_seconds = 50, 0, 1
    world.sandbox.budget.opened = None
    assert world.drain(max_wait=timedelta(minutes=1)).ended[0] is Exit.DONE
    world.assert_items_true()
    assert {request.status for request in world.sandbox.requests} == {200}


def kill_items_after(world: Account, requests: int) -> None:
    """Run `impact items` and kill it at this request."""
    killed = threading.Event()
    numbers = itertools.count(1)
    process = subprocess.Popen([IMPACT, "items"], env=environment(world), stderr=subprocess.DEVNULL)

    def kill(_: Request) -> None:
        if next(numbers) == requests:
            os.kill(process.pid, signal.SIGKILL)
            killed.set()

    world.sandbox.on_request = kill
    assert killed.wait(60)
    process.wait()


@pytest.mark.long
def test_of_a_killed_drain_only_what_was_in_flight_is_asked_for_again(account: Make) -> None:
    """Killed during the drain, twice: every item lands, and at most the eight in flight are requested again."""
    world = account(days=30, per_day=8)
    world.first_sync()
    world.item_requests()
    for after in (60, 90):
        kill_items_after(world, after)
    world.sandbox.on_request = None
    clean(impact("items", env=environment(world)), 0)
    asked = Counter(world.item_requests())
    assert asked.keys() == world.truth().keys()
    assert sum(asked.values()) - len(asked) <= 2 * 8
    world.assert_items_true()


def test_the_command_reads_items_and_says_how_far_they_are(account: Make) -> None:
    """`impact items` shows progress, coverage and the time to go; its exit code says whether any wait."""
    world = account(days=10, per_day=4)
    assert "run `impact sync` first" in clean(impact("items", env=environment(world)), 2)
    clean(impact("sync", "--no-items", env=environment(world)), 0)
    output = clean(impact("items", "--max-requests", "10", env=environment(world)), 3)
    assert "items: action" in output
    assert "of 10 actions read with 10 requests" in output
    assert "to go" in output
    output = clean(impact("sync", "--items", env=environment(world)), 0)
    assert "Items are current for 100.0% of" in output
    assert "items are current" in clean(impact("status", env=environment(world)), 0).lower()


def now() -> datetime:
    """An instant."""
    return datetime(2026, 1, 1, tzinfo=UTC)


def account_of(sid: str = "IR0123456789") -> Settings:
    """Settings of an account."""
    return Settings(sid, "token")


def queued(action: str = "1.2.3", was: str = "") -> Queued:
    """A queued action."""
    return Queued(action, "1000", "a fingerprint", None, was)


def test_a_kept_answer_serves_the_same_question_only(tmp_path: Path) -> None:
    """An answer is used only while the warehouse says of the action what it said at the request."""
    listing = Listing(queued(), Status.LISTED, now(), (b'[{"Uri": "/Advertisers/IR0123456789/Actions"}]',))
    first = Spool(tmp_path / "spool", account_of())
    first.put(listing)
    first.close()
    spool = Spool(tmp_path / "spool", account_of())
    assert spool.get(queued()) == listing
    assert spool.get(queued(was="read meanwhile")) is None
    assert Spool(tmp_path / "spool", account_of("IR9876543210")).get(queued()) is None
    assert b"IR0123456789" not in (tmp_path / "spool").read_bytes()
    spool.forget([queued().action_id])
    assert spool.get(queued()) is None
    spool.close()
    assert not (tmp_path / "spool").exists()


def test_a_damaged_file_of_kept_answers_is_recreated(tmp_path: Path) -> None:
    """Losing kept answers costs requests but no run."""
    path = tmp_path / "spool"
    path.write_bytes(b"no database at all" * 1000)
    Spool(path, account_of()).put(Listing(queued(), Status.LISTED, now()))
    assert Spool(path, account_of()).get(queued()) is not None


def test_damage_deep_in_the_file_of_kept_answers_stops_no_run(tmp_path: Path) -> None:
    """A page that cannot be read costs the kept answers: nothing is raised, and nothing is kept."""
    path = tmp_path / "spool"
    spool = Spool(path, account_of())
    for number in range(300):
        spool.put(Listing(queued(f"1.2.{number}"), Status.LISTED, now(), (b"[]" * 500,)))
    spool._file.close()  # type: ignore[union-attr] # noqa: SLF001 - as a killed process leaves it
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\x07" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    spool = Spool(path, account_of())
    found = [spool.get(queued(f"1.2.{number}")) for number in range(300)]
    spool.put(Listing(queued(), Status.LISTED, now()))
    spool.forget([queued().action_id])
    spool.close()
    assert found == [None] * 300


def test_spared_requests_are_those_of_the_hour_that_the_api_tells() -> None:
    """With 20 an hour according to the API, a tenth spared and 5 left, three more may go, then none without a wait."""
    budget = Budget(1000, max_wait=60.0, clock=lambda: 0.0)
    budget.hear(Limits(limit=20, remaining=5, reset=30.0))
    with budget.sparing(0.1, wait=False):
        assert budget.allowed == 3
        for _ in range(3):
            budget.take()
        with pytest.raises(BudgetSpent):
            budget.take()
    assert budget.allowed == budget.remaining == 2
    budget.take()


def test_the_wait_for_spared_requests_ends_when_enough_of_ours_are_an_hour_old() -> None:
    """Without a word from the API, as many of our own requests must be an hour old as are spared, plus one."""
    now_, waits = [0.0], []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now_[0] += seconds

    budget = Budget(10, max_wait=7200.0, clock=lambda: now_[0], wait=wait)
    for _ in range(10):
        budget.take()
        now_[0] += 60.0
    with budget.sparing(0.25):  # three of ten
        budget.take()
    assert waits == [3600.0 + 3 * 60 - 600]


def test_an_action_counts_as_read_only_once_its_items_have_landed(
    account: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables commit one by one: `item_fetches` names an action in a later load package than `action_items`."""
    monkeypatch.setattr(items, "_PACKAGE", 10)
    world = account(days=10, per_day=2)
    world.first_sync()
    with open_pipeline() as pipeline, Client(world.settings()) as client:
        warehouse = Warehouse(pipeline)
        with items.ItemWalk(client, warehouse, "a run") as walk:
            while not walk.finished:
                pipeline.run(impact_items(walk=walk))
                with pipeline.sql_client() as sql:
                    read, known = (
                        {row[0] for row in sql.execute_sql(f"select distinct action_id from {table}") or []}
                        for table in map(sql.make_qualified_table_name, ("action_items", "item_fetches"))
                    )
                assert known < read or walk.finished
    assert known == read == world.truth().keys()

"""Where a run's cursors stand and what it reads first, package by package, with a warehouse that is not loaded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from impact_sandbox import Campaign, Reply, Request, Rules
from impact_source import Walk
from impact_source.account import State
from impact_source.api.client import Client
from impact_source.errors import BudgetSpent
from impact_source.plan.cursors import Cursors, Mark
from impact_source.rows.landing import Landing
from impact_source.warehouse import Warehouse
from impact_sync.warehouse.open import open_pipeline

from tests.support.account import CAMPAIGNS, Account
from tests.support.landings import batch, load

Make = Callable[..., Account]
ONE = CAMPAIGNS[:1]
DAY = timedelta(days=1)


class Run:
    """A complete run, its rows as they would land and the state as it would be kept; nothing is loaded."""

    def __init__(self, one: Account, state: State, held: Landing | None = None, **settings: Any) -> None:  # noqa: ANN401 - any setting
        self.state, self.packages = state, list[list[Landing]]()
        one.sandbox.requests.clear()
        with open_pipeline() as pipeline, Client(one.settings(**settings)) as client:
            if held:
                load(pipeline, held)
            with Walk(client, Warehouse(pipeline), "a run") as walk:
                while not walk.finished:
                    self.packages.append(list(walk.package(state)))
        self.stopped, self.tallies, self.unread = walk.stopped, walk.tallies, walk.unread

    def cursor(self, mark: Mark, campaign_id: str = "1000") -> datetime | None:
        """Where a mark of a campaign stands."""
        return Cursors(self.state, campaign_id).get(mark)

    @property
    def read(self) -> list[tuple[str, str]]:
        """Campaign and pass of each window, in the order they were read."""
        windows = [row for package in self.packages for landing in package for row in landing.windows]
        return [(row["campaign_id"], row["pass"]) for row in windows if row["outcome"] == "whole"]


def test_where_rows_moved_and_the_hour_is_spent_the_cursor_stays(account: Make) -> None:
    """A window whose pages contradict each other does not count as read: the next run requests what it hid."""
    one = account(days=1, per_day=0, rules=Rules(most_a_page=10), campaigns=ONE)
    for _ in range(12):
        one.world.create()
    moved: list[str] = []

    def move(request: Request) -> Reply | None:
        if moved:
            return Reply(429, headers={"X-RateLimit-Reset": "3600"})
        if request.query.get("Page") == "2":
            moved.append(one.world.create())
        return None

    one.sandbox.on_request = move
    run = Run(one, {}, start_date=one.world.now - DAY, max_wait=timedelta(0))
    assert isinstance(run.stopped, BudgetSpent)
    assert run.read == []
    assert [run.cursor(mark) for mark in Mark] == [None] * len(Mark)
    assert run.tallies["1000"].new == 12, "what was received lands all the same"


def test_an_action_at_a_windows_boundary_is_one_action(account: Make) -> None:
    """Two windows return it, in load packages of one row: a summary that counts it twice reports its payout twice."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.world.create(Payout="5.00", Currency="USD")
    boundary = one.world.now
    one.world.advance(days=15)
    run = Run(one, {}, start_date=boundary - 45 * DAY, package_rows=1)
    assert len(run.packages) >= 2
    tally = run.tallies["1000"]
    assert (tally.new, tally.changed, dict(tally.money)) == (1, 0, {"USD": Decimal(5)})


def test_a_campaign_that_is_kept_up_to_date_comes_before_a_backfill(account: Make) -> None:
    """With requests for only one campaign, figures that people look at do not wait for three years of another."""
    one = account(days=1, per_day=0, campaigns=(CAMPAIGNS[0], Campaign("2000", "Acme Outlet")))
    one.start = None
    then = (one.world.now - DAY).isoformat()
    state: State = {"campaigns": {"2000": dict.fromkeys(Mark, then) | {Mark.BEGUN: "2020-01-01T00:00:00Z"}}}
    held = Landing(actions=batch({"CampaignId": "2000"}).records.table)
    one.sandbox.budget.limit = 20  # enough for some windows of the other one as well, whatever is in flight at the end
    run = Run(one, state, held, max_wait=timedelta(0))
    assert isinstance(run.stopped, BudgetSpent)
    assert run.read[:2] == [("2000", "updated"), ("2000", "locking")]
    in_order = [campaign_id for campaign_id, _ in run.read]
    assert in_order == sorted(in_order, reverse=True)
    assert {*in_order} == {"1000", "2000"}
    assert run.cursor(Mark.UPDATED, "2000") == run.cursor(Mark.LOCKING, "2000") == one.world.now
    assert (run.cursor(Mark.UPDATED) or one.world.now) < one.world.now


def test_a_window_after_one_that_could_not_be_read_moves_no_cursor(account: Make) -> None:
    """What is read beyond a gap lands, and the gap is requested again: a cursor behind it would hide it for good."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.world.create()
    start = one.world.now - 100 * DAY

    def refuse(request: Request) -> Reply | None:
        bounds = [
            datetime.fromisoformat(at) for at in (request.query.get(f"{end}Date") for end in ("Start", "End")) if at
        ]
        amid = start + 60 * DAY
        return Reply(400, b'{"Message": "no"}') if bounds and bounds[0] <= amid <= bounds[1] else None

    one.sandbox.on_request = refuse
    run = Run(one, {}, start_date=start)
    assert [str(failure.reading.pass_) for failure in run.unread.failures] == ["updated"]
    assert run.cursor(Mark.UPDATED) == start + 45 * DAY
    assert run.tallies["1000"].new == 1

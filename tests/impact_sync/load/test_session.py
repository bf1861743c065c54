"""Every verb that writes takes every step: its run is recorded, and it leaves the warehouse in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from impact_sandbox import Reply, Request
from impact_source import Settings
from impact_source.errors import ConfigurationError, ForeignWarehouse, Unavailable
from impact_sync.console.exits import Exit
from impact_sync.corrections.apply.resolve import look
from impact_sync.corrections.apply.run import apply
from impact_sync.corrections.plan.run import Source, plan
from impact_sync.items.run import items
from impact_sync.load import session as session_module
from impact_sync.sync.run import sync
from impact_sync.verify.run import verify

from tests.support.account import CAMPAIGNS, Account
from tests.support.desk import Desk

Make = Callable[..., Account]
RUNS = "select outcome, exit_code from impact.sync_runs order by finished"
FAILED = "select outcome, exit_code from impact.sync_runs where exit_code > 0"
VERBS: dict[str, Callable[[Settings, Desk, str], object]] = {
    "sync": lambda settings, *_: sync(settings),
    "items": lambda settings, *_: items(settings),
    "verify": lambda settings, *_: verify(settings),
    "apply": lambda settings, _, plan_id: apply(settings, plan_id),
    "plan": lambda settings, desk, _: plan(settings, Source(desk.ask("1,update,OTHER,,12,,,,,,"))),
    "look": lambda settings, _, plan_id: look(settings, plan_id),
}
PREFIXES = {"sync": "", "items": "items: ", "verify": "verify: "}
"""How the outcome of a run begins; for other verbs, with the name of their folder."""


@pytest.fixture
def desk(account: Make) -> Desk:
    """An account that was synced, with a planned correction in its journal."""
    made = Desk(account(days=5, per_day=2, campaigns=CAMPAIGNS[:1]))
    made.create()
    made.sync()
    return made


def planned(desk: Desk) -> str:
    """A plan for the latest action."""
    ((action,),) = desk.account.query("select max_by(id, event_date) from impact.actions")
    return desk.planned(f"{action},update,OTHER,,12,,,,,,")


def is_listing(request: Request) -> bool:
    """Whether the request lists the campaigns, the first thing that every run does."""
    return request.path.endswith("/Campaigns")


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_that_fails_as_it_begins_is_recorded(desk: Desk, verb: str) -> None:
    """If the first request fails, `sync_runs` names verb and error; not in another account's warehouse."""
    plan_id, before = planned(desk), desk.account.query(RUNS)
    desk.sandbox.requests.clear()
    with pytest.raises(ForeignWarehouse):
        VERBS[verb](desk.settings(account_sid="IRother"), desk, plan_id)
    assert desk.sandbox.requests == []
    assert desk.account.query(RUNS) == before
    desk.sandbox.on_request = lambda request: Reply(503) if is_listing(request) else None
    with pytest.raises(Unavailable) as failed:
        VERBS[verb](desk.settings(), desk, plan_id)
    outcome = f"{PREFIXES.get(verb, 'corrections: ')}{failed.type.__name__}"
    assert sorted(desk.account.query(RUNS)) == sorted([*before, (outcome, 4)])


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_leaves_the_warehouse_in_order(desk: Desk, verb: str) -> None:
    """Dropped views and missing comments are restored, and the clock continues from the latest run.

    A server reports only full seconds: what is read after a run must not look older than that run.
    """
    plan_id = planned(desk)
    views = "select count(*) from duckdb_views() where schema_name = 'impact'"
    comment = "select comment from duckdb_columns() where table_name = 'actions' and column_name = 'payout'"
    reached = "select max(finished) from impact.sync_runs"
    known = desk.account.query(views), desk.account.query(comment)
    with desk.account.changing() as connection:
        connection.execute("drop view settlement; comment on column actions.payout is null")
        connection.execute(f"update sync_runs set finished = timestamptz '{desk.world.now + timedelta(seconds=8)}'")
    ((before,),) = desk.account.query(reached)
    VERBS[verb](desk.settings(), desk, plan_id)
    assert (desk.account.query(views), desk.account.query(comment)) == known
    ((after,),) = desk.account.query(reached)
    assert (after > before) == (verb not in ("plan", "look")), "these load nothing"


def test_an_apply_is_recorded_with_what_it_landed(desk: Desk) -> None:
    """A plan that is sent leaves a row with its number of requests; if work is left, the row says so."""
    plan_id = planned(desk)
    assert apply(desk.settings(), plan_id).exit is Exit.DONE
    ledger = "select outcome, exit_code, requests > 1, finished > started from impact.sync_runs where outcome like 'c%'"
    assert desk.account.query(ledger) == [("corrections: done", 0, True, True)]


def test_a_plan_that_is_not_there_is_recorded(desk: Desk) -> None:
    """Scheduled runs that nobody watches are in the ledger, including mistakes in their command line."""
    with pytest.raises(ConfigurationError):
        apply(desk.settings(), "20260101-nothing")
    assert desk.account.query(FAILED) == [("corrections: ConfigurationError", 2)]


@pytest.mark.parametrize("verb", ["sync", "items", "verify", "apply"])
def test_memory_is_released_after_each_package(desk: Desk, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a run is, free memory between buffers is returned."""
    plan_id, times = planned(desk), list[None]()
    desk.create()
    desk.account.sync(items_max_requests=0)
    monkeypatch.setattr(session_module, "release", lambda: times.append(None))
    VERBS[verb](desk.settings(), desk, plan_id)
    assert times


def test_a_verification_that_is_interrupted_says_so(desk: Desk) -> None:
    """Ctrl-C is not an error: the ledger says `interrupted`, as for a sync."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(desk.settings(), on_progress=interrupt)
    assert desk.account.query(FAILED) == [("verify: interrupted", 130)]

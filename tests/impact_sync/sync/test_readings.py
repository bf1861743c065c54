"""A sync ends true under every reading of what the API's documents leave open."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from impact_sandbox import Campaign, Request, Rules
from impact_source import Ask
from impact_source.errors import RequestRefused, ShortAnswers, WindowIncomplete
from impact_sync.console.exits import Exit
from impact_sync.verify.run import verify

from tests.support.account import Account, refusal

Make = Callable[..., Account]
ONE = (Campaign(id="1000", name="Acme Campaign", state="ACTIVE", share=1.0),)
HOUR = timedelta(hours=1)

READINGS: dict[str, dict[str, Any]] = {
    "as documented: texts, newest first, early approval keeps the LockingDate, only changes are updates": {},
    "values are numbers and nulls": {"wire": "typed"},
    "a list of one is a bare object": {"single_as_object": True},
    "every fifth body is null": {"null_bodies": 5},
    "no order": {"order": "shuffled"},
    "pages of 20,000 at most": {"max_page_size": 20_000},
    "three years for all dates": {"three_years_on_all": True},
    "states nobody documented": {"unknown_states": True},
    "early approval moves the LockingDate to now": {"early_approval_moves_lock": True},
    "approval comes days after the LockingDate": {"approval_delay_days": 9},
    "clearing is an update": {"clearing_touches": True},
    "reversal is no update": {"reversal_touches": False},
    "LockingDate is empty, and set late or never": {"open_ended": 0.3},
    "all lock on one day of the next month": {"shared_locking_day": 28},
    "rows show up to an hour late": {"visibility_lag": 3600},
    "reset is an epoch second": {"reset_as_epoch": True},
    "limits by the hour": {"rate_limit_headers": "hour"},
    "no word about limits": {"rate_limit_headers": "none"},
    "small pages, ends of ranges do not count, refusals name PageSize": {
        "most_a_page": 10,
        "exclusive_ends": True,
        "refusal": "page_size",
        "precision": "second",
        "shared_locking_day": 28,
    },
    "small pages, dates to the minute, refusals with status 200": {
        "most_a_page": 10,
        "precision": "minute",
        "refusal": "ok",
        "refusal_names_total": True,
    },
    "all at once": {
        "wire": "typed",
        "single_as_object": True,
        "null_bodies": 7,
        "order": "shuffled",
        "max_page_size": 20_000,
        "three_years_on_all": True,
        "unknown_states": True,
        "early_approval_moves_lock": True,
        "approval_delay_days": 5,
        "clearing_touches": True,
        "reversal_touches": False,
        "open_ended": 0.2,
        "visibility_lag": 3600,
    },
}


_QUICK = ("all at once",)
_CASES = [
    pytest.param(rules, id=name, marks=[] if name.startswith(_QUICK) else [pytest.mark.long])
    for name, rules in READINGS.items()
]


@pytest.mark.parametrize("rules", _CASES)
def test_every_reading_ends_true(account: Make, rules: dict[str, Any]) -> None:
    """Four syncs in seven weeks, each followed by a comparison of every column, whichever way the API behaves."""
    one = account(days=70, per_day=5, rules=Rules(**rules))
    for days in (0, 3, 18, 28):
        one.world.advance(days=days, hours=5)
        summary = one.sync()
        assert summary.exit is Exit.DONE, summary.failures
        one.assert_true()


def test_fields_that_appear_are_kept_and_those_that_vanish_are_null(account: Make) -> None:
    """A field that the API starts to send becomes a column; once it is no longer sent, it is NULL again."""
    one = account(days=20, per_day=6)
    one.first_sync()
    one.world.rules = replace(one.world.rules, unknown_fields=one.world.now)
    one.world.advance(days=7)
    one.sync()
    one.assert_true()
    columns = [name for (name,) in one.query("select column_name from duckdb_columns() where table_name = 'actions'")]
    extra = columns[columns.index("changed") + 1]
    assert one.query(f"select count({extra}) from impact.actions")[0][0] > 0
    one.world.rules = replace(one.world.rules, unknown_fields=None)
    one.sync()
    one.assert_true()
    assert one.query(f"select count({extra}) from impact.actions") == [(0,)]


def test_a_seven_day_default_on_locking_queries_is_noticed(account: Make) -> None:
    """If LockingDate queries hide what was not updated lately, the sync stops, says so and moves no cursor."""
    one = account(days=90, per_day=6)
    one.first_sync()
    before = one.query("select * from impact.sync_windows where pass = 'locking'")
    one.world.rules = replace(one.world.rules, seven_day_default_on_all=True)
    one.world.advance(days=7)
    summary = one.sync()
    assert isinstance(summary.error, ShortAnswers)
    assert summary.exit is Exit.FAILED
    assert one.query("select * from impact.sync_windows where pass = 'locking'") == before
    one.world.rules = replace(one.world.rules, seven_day_default_on_all=False)
    assert one.sync().exit is Exit.DONE
    one.assert_true()


@pytest.mark.long
@pytest.mark.parametrize(("max_page_size", "names_total"), [(2_000, True), (None, False), (2_000, False)])
def test_a_month_that_locks_at_one_instant_is_read(
    account: Make, max_page_size: int | None, *, names_total: bool
) -> None:
    """More actions than can be paged through lock at one instant: larger pages if accepted, else by EventDate."""
    rules = Rules(shared_locking_day=28, max_page_size=max_page_size, refusal_names_total=names_total)
    one = account(days=45, per_day=800, rules=rules, campaigns=ONE)
    one.first_sync()
    one.world.advance(days=2)
    one.sandbox.requests.clear()
    assert one.sync().exit is Exit.DONE
    one.assert_true()
    split = one.query("select count(*) from impact.sync_windows where event_start is not null")[0][0]
    assert split >= 1 if max_page_size else split == 0
    rows = one.query("select sum(rows) from impact.sync_windows where outcome = 'whole' and pass = 'locking'")[0][0]
    assert len(one.sandbox.requests) <= rows / 2_000 + (45 if max_page_size and not names_total else 25)


def test_what_cannot_be_split_fails_loudly_and_moves_no_cursor(account: Make) -> None:
    """When the API refuses every query however narrow, the run ends with its words and keeps its place."""
    one = account(days=60, per_day=6, campaigns=ONE)
    one.first_sync()
    one.world.advance(days=7)
    one.sandbox.on_request = lambda request: refusal() if "LockingDateStart" in request.query else None
    summary = one.sync()
    assert all(isinstance(failure.error, RequestRefused) for failure in summary.failures)
    assert "Too many records" in str(summary.failures[0])
    assert "campaign 1000" in str(summary.failures[0])
    assert summary.exit is Exit.FAILED
    one.sandbox.on_request = None
    assert one.sync().exit is Exit.DONE
    one.assert_true()


def test_a_window_whose_rows_leave_between_two_pages_is_read_again(account: Make) -> None:
    """Rows that move to another window while one is read are neither lost nor counted twice."""
    one = account(days=40, per_day=150, campaigns=ONE)
    one.first_sync()
    one.world.advance(days=3)
    ids = [row["Id"] for row in one.world.truth().to_pylist() if row["State"] == "PENDING"]
    moved: list[str] = []

    def move(request: Request) -> None:
        if "LockingDateStart" in request.query and request.query.get("Page", "1") != "1" and len(moved) < 30:
            moved.append(ids[len(moved)])
            later = one.world.now + timedelta(days=60, seconds=len(moved))
            one.world.modify(moved[-1], touches=False, LockingDate=later.isoformat())

    one.sandbox.on_request = move
    assert one.sync().exit is Exit.DONE
    one.sandbox.on_request = None
    assert moved
    assert one.query("select count(*) from impact.sync_windows where outcome = 'moved'")[0][0] > 0
    one.sync()
    one.assert_true()


def test_a_window_that_never_rests_does_not_hold_the_sync_up(account: Make) -> None:
    """Even if every request changes what the window holds, the run ends after a limited number of requests."""
    one = account(days=40, per_day=150, campaigns=ONE)
    one.first_sync()
    one.world.advance(days=3)
    pending = [row["Id"] for row in one.world.truth().to_pylist() if row["State"] == "PENDING"]
    turn = iter(range(10_000))

    def stir(_: Request) -> None:
        number = next(turn)
        later = one.world.now + timedelta(days=1 + number * 7 % 88, seconds=number)
        one.world.modify(pending[number % len(pending)], touches=False, LockingDate=later.isoformat())

    one.sandbox.requests.clear()
    one.sandbox.on_request = stir
    summary = one.sync()
    assert summary.exit is (Exit.FAILED if summary.failures else Exit.DONE)
    assert {type(failure.error) for failure in summary.failures} <= {WindowIncomplete}
    outcomes = {row[0] for row in one.query("select outcome from impact.sync_windows where pass = 'locking'")}
    assert "moved" in outcomes
    assert ("failed" in outcomes) == bool(summary.failures)
    assert len(one.sandbox.requests) < 200
    one.sandbox.on_request = None
    assert one.sync().exit is Exit.DONE
    one.assert_true()


def test_a_silent_change_of_an_action_without_locking_date_is_found(account: Make) -> None:
    """An open-ended action that is approved silently is re-read although no date of the passes holds it."""
    one = account(days=30, per_day=6, campaigns=ONE)
    lonely = one.world.create(campaign_id="1000", LockingDate="", Amount="10.00", Payout="1.00")
    one.first_sync()
    one.world.advance(days=3)
    one.sync()
    one.world.advance(days=12)
    one.world.approve(lonely)
    one.sandbox.requests.clear()
    one.sync()
    one.assert_true()
    assert one.held()[lonely]["state"] == "APPROVED"
    singles = [r for r in one.sandbox.requests if r.path.endswith(lonely)]
    assert len(singles) == 1


def test_clearings_after_a_long_pause_are_found(account: Make) -> None:
    """A pause longer than the look-back loses none of the clearings that happened in it."""
    one = account(days=60, per_day=5)
    one.first_sync()
    one.world.advance(days=200)
    one.sync()
    one.assert_true()


def test_a_silent_restoration_with_a_postponed_lock_is_found(account: Make) -> None:
    """A reversed action that is restored silently, its lock moved ahead, is re-read though no window holds it."""
    one = account(days=30, per_day=5, campaigns=ONE, rules=Rules(reversal_touches=False))
    lock = (one.world.now + timedelta(days=10)).isoformat()
    odd = one.world.create(campaign_id="1000", LockingDate=lock, Amount="10.00", Payout="1.00")
    one.world.reverse(odd, touches=False)
    one.first_sync()
    one.world.advance(days=3)
    one.sync()
    one.world.restore(odd, touches=False)
    one.world.modify(odd, touches=False, LockingDate=(one.world.now + timedelta(days=60)).isoformat())
    one.world.advance(days=12)
    one.sync()
    one.assert_true()
    assert one.held()[odd]["state"] == "PENDING"


def test_many_unseen_actions_are_read_by_windows_not_one_by_one(account: Make) -> None:
    """A thousand open-ended actions cost a few requests, not a thousand."""
    one = account(days=60, per_day=20, campaigns=ONE, rules=Rules(open_ended=1.0))
    one.first_sync()
    one.world.advance(days=10)
    one.sandbox.requests.clear()
    one.sync()
    one.assert_true()
    assert len(one.sandbox.requests) < 12


def test_an_action_gone_at_the_source_is_kept_and_flagged_once(account: Make) -> None:
    """What the API forgets stays in the warehouse, is named in verify_results, and costs the next runs a request."""
    one = account(days=30, per_day=6, campaigns=ONE)
    one.first_sync()
    gone = next(row["Id"] for row in one.world.truth().to_pylist() if row["State"] == "PENDING")
    one.world.remove(gone)
    one.world.advance(days=2)
    one.sync()
    assert gone in one.held()
    assert one.query("select action_id, finding from impact.verify_results") == [(gone, "gone")]
    one.sandbox.requests.clear()
    one.sync()
    assert len([r for r in one.sandbox.requests if r.path.endswith(gone)]) == 1
    assert one.query("select action_id, finding from impact.verify_results") == [(gone, "gone")]


def test_unreadable_records_are_kept_asked_for_again_and_let_go_once_readable(account: Make) -> None:
    """A record without a usable date is counted, kept with its JSON, requested again, and goes when it can be read."""
    one = account(days=30, per_day=6, campaigns=ONE)
    bad = one.world.create(campaign_id="1000", Amount="10.00", Payout="1.00")
    date = next(row["EventDate"] for row in one.world.truth().to_pylist() if row["Id"] == bad)
    one.world.modify(bad, EventDate="yesterday")
    first = one.sync()
    assert first.exit is Exit.DRIFT
    assert first.tallies["1000"].rejected == 1
    ((key, raw, reason),) = one.query("select id, raw, reason from impact.rejected_records")
    assert key == bad
    assert json.loads(raw)["EventDate"] == "yesterday"
    assert reason == "EventDate is not a date and time: 'yesterday'"
    assert one.held().keys() == one.truth_but(bad).keys()
    one.world.advance(days=40)
    again = one.sync()
    assert again.exit is Exit.DONE, "it is not newly rejected"
    assert one.query("select id from impact.rejected_records") == [(bad,)]
    one.world.modify(bad, touches=False, EventDate=date)
    assert one.sync().exit is Exit.DONE
    assert one.query("select count(*) from impact.rejected_records") == [(0,)]
    one.assert_true()


def test_odd_values_cost_their_cells_alone(account: Make) -> None:
    """Their actions are held, rounded or without the value; what is left out is in `rejected_records`."""
    one = account(days=30, per_day=6, campaigns=ONE)
    rounded = one.world.create(Amount="1e-09", Payout="0.30000000000000004", ClientCost="12.123456789")
    unread = one.world.create(Amount="10.00", Payout="1.00")
    one.world.modify(unread, Payout="1,234.50", DeltaPayout="0.00", ClientCost="0.00")
    too_large = one.world.create(IntendedPayout="1234567890123", ReferringDate="2026-01-01T00:00:00")
    assert one.sync().exit is Exit.DRIFT
    held = one.held()
    assert held.keys() == {row["Id"] for row in one.world.truth().to_pylist()}
    assert [held[rounded][name] for name in ("amount", "payout", "client_cost")] == [
        Decimal(0),
        Decimal("0.3"),
        Decimal("12.12345679"),
    ]
    assert (held[unread]["payout"], held[unread]["amount"]) == (None, Decimal(10))
    assert (held[too_large]["intended_payout"], held[too_large]["referring_date"]) == (None, None)
    rejected = "select id, null_columns, ask_again from impact.rejected_records order by ask_again"
    left_out = [(too_large, "intended_payout, referring_date", False), (unread, "payout", True)]
    assert one.query(rejected) == left_out
    one.world.advance(days=40)
    one.sandbox.requests.clear()
    assert one.sync().exit is Exit.DONE, "it is not newly rejected"
    assert one.query(rejected) == left_out
    assert verify(one.settings()).exit is Exit.DONE
    one.world.modify(unread, touches=False, Payout="1234.50")
    one.world.modify(too_large, IntendedPayout="12", ReferringDate="")
    assert one.sync().exit is Exit.DONE
    assert one.query(rejected) == []
    assert one.held()[unread]["payout"] == Decimal("1234.5")


def test_a_record_without_an_id_is_let_go_once_its_window_holds_it_no_more(account: Make) -> None:
    """Without an id to request, the window that held the record is read again."""
    one = account(days=30, per_day=6, campaigns=ONE)
    odd = one.world.create(campaign_id="1000", Amount="10.00", Payout="1.00", Id="")
    assert one.sync().exit is Exit.DRIFT
    assert one.query("select action_id from impact.rejected_records") == [(None,)]
    one.world.advance(days=6)
    assert one.sync().exit is Exit.DONE
    assert one.query("select count(*) from impact.rejected_records") == [(1,)]
    one.world.remove(odd)
    assert one.sync().exit is Exit.DONE
    assert one.query("select count(*) from impact.rejected_records") == [(0,)]


def test_a_moved_until_sees_no_more_than_it_may(account: Make) -> None:
    """`--until` in the past leaves later changes for the next run, which finds them."""
    one = account(days=60, per_day=6)
    one.first_sync()
    one.world.advance(days=14)
    one.sync(Ask(until=one.world.now - timedelta(days=7)))
    one.sync()
    one.assert_true()

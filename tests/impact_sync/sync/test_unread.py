"""One bad window, action or campaign is listed with its reason, and everything else is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from impact_sandbox import Reply, Request
from impact_source.plan.passes import Pass
from impact_sync.console.exits import Exit
from impact_sync.status.command import run as status
from impact_sync.verify.run import verify

from tests.support.account import Account

Make = Callable[..., Account]


def start(one: Account) -> dict[str, Any]:
    """Settings under which a first sync reads two windows per campaign, not 25."""
    return {"start_date": one.world.now - timedelta(days=60)}


def old_open(one: Account, campaign_id: str) -> list[str]:
    """Ids of a campaign's actions that lock far ahead, in order."""
    ids = [one.world.create(campaign_id, LockingDate="2026-12-31T00:00:00Z", Amount="10.00") for _ in range(3)]
    return sorted(ids)


def assert_true_but(one: Account, *campaigns: str) -> None:
    """Every action is as the API says, except those of some campaigns."""
    held = {id_: row for id_, row in one.held().items() if row["campaign_id"] not in campaigns}
    truth = {id_: row for id_, row in one.truth().items() if row["campaign_id"] not in campaigns}
    assert {id_: {name: row.get(name) for name in truth[id_]} for id_, row in held.items()} == truth


def cursors(one: Account, campaign_id: str) -> list[tuple[Any, ...]]:
    """Up to when the changes of a campaign have been read."""
    return one.query(f"select as_of from impact.synced_until where campaign_id = '{campaign_id}'")


def trouble(one: Account, **rules: Any) -> None:  # noqa: ANN401 - any rule
    """Let something go wrong from now on."""
    one.world.rules = replace(one.world.rules, **rules)


def suspend(one: Account, *campaigns: str) -> None:
    """Refuse the actions of these campaigns, and of no others."""

    def refuse(request: Request) -> Reply | None:
        if request.query.get("CampaignId") not in campaigns:
            return None
        message = f"Campaign {request.query['CampaignId']} is suspended"
        body = {"Status": "ERROR", "Message": message, "Errors": [{"Field": "CampaignId", "Message": message}]}
        return Reply(400, json.dumps(body).encode())

    one.sandbox.on_request = refuse


def test_a_suspended_campaign_stops_no_other(account: Make) -> None:
    """A campaign whose actions are refused keeps its cursor; the others are read, and the run says why."""
    one = account(days=40, per_day=5)
    one.first_sync(**start(one))
    before = cursors(one, "1000"), cursors(one, "2000")
    one.world.advance(days=2)
    suspend(one, "1000")
    one.sandbox.requests.clear()
    summary = one.sync(**start(one))
    assert summary.exit is Exit.FAILED
    assert "Campaign 1000 is suspended" in str(summary.failures[0])
    assert_true_but(one, "1000")
    assert len([r for r in one.sandbox.requests if r.query.get("CampaignId") == "1000"]) <= 12
    assert (cursors(one, "1000") == before[0], cursors(one, "2000") > before[1]) == (True, True)
    suspend(one)
    assert one.sync(**start(one)).exit is Exit.DONE
    one.assert_true()


def test_the_only_campaign_refused_is_in_the_ledger(account: Make) -> None:
    """Even if nothing at all could be read, sync_windows and sync_runs say so."""
    one = account(days=40, per_day=5, campaigns=account(days=1).world.campaigns[:1])
    suspend(one, "1000")
    assert one.sync().exit is Exit.FAILED
    ((reason,),) = one.query("select distinct reason from impact.sync_windows where outcome = 'failed'")
    assert "is suspended" in reason
    assert one.query("select outcome, exit_code from impact.sync_runs") == [("RequestRefused", 4)]


@pytest.mark.parametrize(
    "rules",
    [("total_too_high",), pytest.param(("total_too_high", "listed_twice"), marks=pytest.mark.long)],
    ids="+".join,
)
def test_a_window_that_never_adds_up_stops_nothing_else(account: Make, rules: tuple[str, ...]) -> None:
    """Windows before and after it land, its cursor stays before it, and all other passes and campaigns are read."""
    one = account(days=60, per_day=5)
    settings: dict[str, Any] = {"start_date": one.world.now - timedelta(days=300)}
    oldest = min(one.world.truth("1000").to_pylist(), key=lambda row: row["CreationDate"])["Id"]
    trouble(one, **dict.fromkeys(rules, (oldest,)))
    summary = one.sync(**settings)
    assert summary.exit is Exit.FAILED
    assert {failure.reading.pass_ for failure in summary.failures} == {Pass.UPDATED}
    assert_true_but(one)
    read = one.query("select outcome from impact.sync_windows where campaign_id = '1000' order by window_start")
    assert {("whole",), ("failed",), ("ahead",)} <= set(read)
    assert cursors(one, "1000")[0][0] < one.world.now - timedelta(days=40)
    one.world.advance(days=1)
    trouble(one, **dict.fromkeys(rules, ()))
    assert one.sync(**settings).exit is Exit.DONE
    one.assert_true()


def test_an_action_that_always_fails_stops_no_other_action(account: Make) -> None:
    """A permanent 500 for one id is reported with the id; other single actions, campaigns and passes are read."""
    one = account(days=30, per_day=3)
    bad, good, gone = old_open(one, "1000")
    one.first_sync(**start(one))
    one.world.advance(days=3)
    one.sync(**start(one))
    for id_ in (bad, good):  # no window returns them any more, as their locking date has moved unseen
        one.world.modify(id_, touches=False, LockingDate="", EventDate="2019-01-01T00:00:00Z", Amount="7.00")
    one.world.remove(gone)
    trouble(one, broken=(bad,))
    one.world.reverse(next(id_ for id_, row in one.truth().items() if row["campaign_id"] == "2000"), touches=False)
    summary = one.sync(**start(one))
    assert summary.exit is Exit.FAILED
    assert [failure.action_id for failure in summary.failures] == [bad]
    held = one.held()
    assert (held[good]["amount"], held[bad]["amount"]) == (7, 10)
    assert one.query("select action_id from impact.verify_results where finding = 'gone'") == [(gone,)]
    assert_true_but(one, "1000")
    trouble(one, broken=())
    assert one.sync(**start(one)).exit is Exit.DONE
    assert one.held()[bad]["amount"] == 7


def test_an_api_that_is_down_ends_the_run_after_few_requests(account: Make) -> None:
    """When nothing is answered any more, not every window of every campaign is requested."""
    one = account(days=30, per_day=3)
    one.first_sync(**start(one))

    def down(request: Request) -> Reply | None:
        return Reply(503) if request.path.endswith("/Actions") else None

    one.sandbox.requests.clear()
    one.sandbox.on_request = down
    with pytest.raises(ConnectionError):
        one.sync()
    assert len(one.sandbox.requests) <= 3 * 16


def test_verify_compares_every_other_campaign(account: Make) -> None:
    """A refused campaign, or a window that does not add up, leaves everything else compared; then exit 4."""
    one = account(days=30, per_day=5)
    one.first_sync(**start(one))
    with one.changing() as warehouse:
        old = "creation_date < timestamptz '2026-01-10 00:00:00+00'"
        warehouse.execute(f"update actions set amount = amount + 1 where campaign_id = '2000' and {old}")
    suspend(one, "1000")
    report = verify(one.settings(**start(one)))
    assert report.exit is Exit.FAILED
    assert {failure.reading.campaign_id for failure in report.failures} == {"1000"}
    assert {one.campaign_id for one in report.drift} == {"2000"}
    suspend(one)
    trouble(one, total_too_high=(str(one.world.truth("1000")["Id"][0].as_py()),))
    report = verify(one.settings(**start(one)), repair=True)
    assert report.exit is Exit.FAILED
    assert not {one.kind for one in report.drift} - {"stale"}
    assert_true_but(one)


def test_status_lists_what_the_latest_run_could_not_read(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """The windows are there with their reasons, on the screen and as JSON, until a run of the same kind reads them."""
    one = account(days=40, per_day=5)
    one.first_sync(**start(one))
    suspend(one, "1000")
    one.world.advance(days=1)
    one.sync(**start(one))
    capsys.readouterr()
    status(as_json=True)
    found = {campaign["id"]: campaign["unread"] for campaign in json.loads(capsys.readouterr().out)["campaigns"]}
    assert found["2000"] == []
    assert {one["pass"] for one in found["1000"]} >= {"updated", "locking"}
    assert {one["outcome"] for one in found["1000"]} <= {"failed", "left out"}
    assert all(sorted(one) == ["from", "outcome", "pass", "reason", "to"] for one in found["1000"])
    assert "Campaign 1000 is suspended" in found["1000"][0]["reason"]
    status(as_json=False)
    said = capsys.readouterr().out
    assert "Not read: campaign 1000, updated, 2026-01-" in said
    assert "campaign 2000, updated" not in said
    suspend(one)
    verify(one.settings(**start(one)))
    status(as_json=False)
    assert "Not read: campaign 1000" in capsys.readouterr().out, "a verify moves no cursor"
    one.world.advance(hours=1)
    one.sync(**start(one))
    status(as_json=False)
    assert "Not read" not in capsys.readouterr().out


def test_windows_that_are_read_again_are_counted_apart(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """What was read after a failed window is not a failure itself, and is reported in one line."""
    one = account(days=60, per_day=5)
    oldest = min(one.world.truth("1000").to_pylist(), key=lambda row: row["CreationDate"])["Id"]
    trouble(one, total_too_high=(oldest,))
    one.first_sync(start_date=one.world.now - timedelta(days=300))
    capsys.readouterr()
    status(as_json=False)
    said = capsys.readouterr().out
    assert said.count("Not read: ") == 1
    assert re.search(r"Campaign 1000: \d later windows were read, and will be read again", said)


def test_a_verification_with_windows_unread_does_not_count_as_one(account: Make) -> None:
    """`freshness.verified_at` stays at the last verification of a campaign that could read all of it."""
    one = account(days=30, per_day=3)
    one.first_sync(**start(one))
    verified = "select campaign_id, verified_at from impact.freshness order by 1"
    suspend(one, "1000")
    verify(one.settings(**start(one)))
    (first, second) = one.query(verified)
    assert (first[1], second[1] is None) == (None, False)
    suspend(one)
    verify(one.settings(**start(one)))
    (proven, _) = one.query(verified)
    assert proven[1] is not None
    one.world.advance(hours=1)
    suspend(one, "1000")
    verify(one.settings(**start(one)))
    assert one.query(verified)[0] == proven
    assert one.query(verified)[1][1] > proven[1]


def test_a_verification_that_fails_is_in_the_ledger(account: Make) -> None:
    """When the API is down, sync_runs has a row that says so, with the exit code."""
    one = account(days=5, per_day=2)
    one.first_sync(**start(one))
    one.sandbox.on_request = lambda request: Reply(503) if request.path.endswith("/Actions") else None
    with pytest.raises(ConnectionError):
        verify(one.settings(**start(one)))
    assert one.query("select exit_code from impact.sync_runs where outcome = 'verify: Unavailable'") == [(4,)]

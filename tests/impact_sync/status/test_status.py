"""Status says where the warehouse stands, and proves from the ledger that nothing was left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from impact_sandbox import Rules
from impact_source import Ask
from impact_source.parsing import parse_duration
from impact_sync.cli import main
from impact_sync.status.command import out_of_date, run

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]


def gaps(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Campaign and pass of every gap that status names."""
    capsys.readouterr()
    run(as_json=True)
    found = json.loads(capsys.readouterr().out)
    return [(campaign["id"], gap["pass"]) for campaign in found["campaigns"] for gap in campaign["gaps"]]


@pytest.mark.long
def test_windows_adjoin_whatever_was_asked(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """After plain syncs, ranges, and interrupted runs, the windows up to the cursors leave no gap."""
    one = account(days=60, per_day=6)
    feed: dict[str, Any] = {"items": "feed"}
    one.sync(Ask(since=one.world.now - timedelta(days=9)), **feed)
    one.sandbox.budget.limit, one.sandbox.budget.spent = 14, 0
    one.sync(max_wait=timedelta(0), **feed)
    one.sandbox.budget.limit, one.sandbox.budget.spent = 100_000, 0
    for _ in range(3):
        one.sync(**feed)
        assert gaps(capsys) == []
        one.world.advance(days=11)
        one.sync(Ask(since=one.world.now - timedelta(days=2)), **feed)
        assert gaps(capsys) == []


def test_a_first_run_of_a_range_leaves_no_gap_behind(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """After a first run with `--since` and a plain one, some time apart, all that the cursors vouch for was read."""
    one = account(days=20, per_day=2)
    one.sync(Ask(since=one.world.now - timedelta(days=9)))
    one.world.advance(hours=5)
    one.sync()
    assert gaps(capsys) == []


@pytest.mark.parametrize(
    "pass_", ["feed", *(pytest.param(one, marks=pytest.mark.long) for one in ("locking", "updated"))]
)
def test_a_window_missing_from_the_ledger_is_named(
    account: Make, capsys: pytest.CaptureFixture[str], pass_: str
) -> None:
    """If the ledger has no window for a range that a cursor vouches for, status says which and how to read it."""
    one = account(days=60, per_day=6)
    for _ in range(4):
        one.sync(
            clearing_lookback=timedelta(0), items="feed", items_max_requests=0
        )  # the reach-back would have read the range again
        one.world.advance(days=11)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one.path}' as warehouse; use warehouse")
        connection.execute(
            "delete from impact.sync_windows where campaign_id = '1000' and pass = ? and run_id = "
            "(select run_id from impact.sync_runs order by started limit 1 offset 2)",
            [pass_],
        )
    assert gaps(capsys) == [("1000", pass_)]
    run(as_json=False)
    assert f"campaign 1000, {pass_}: nothing was read from" in capsys.readouterr().out


def shape(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The keys of JSON, at every depth; for a list, those of its first object."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_the_json_is_as_the_docs_show_it(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Status as JSON has the keys of the example in the docs, at every depth."""
    one = account(days=20, per_day=2, campaigns=CAMPAIGNS[:1], rules=Rules(withheld=(("Contracts", 403),)))
    one.first_sync()
    one.world.advance(days=1)
    one.sync(items="feed", reference=("contracts",))
    with one.changing() as connection:  # a window that was never read
        connection.execute(
            "delete from sync_windows where pass = 'updated' "
            "and window_start between date '2025-01-01' and date '2025-06-01'"
        )
        connection.execute(  # and some that could not be read
            "update sync_windows set outcome = 'failed', reason = 'the API is down' "
            "where run_id = (select run_id from sync_runs order by started desc limit 1)"
        )
    capsys.readouterr()
    run(as_json=True)
    told = shape(json.loads(capsys.readouterr().out))
    page = (Path(__file__).parents[3] / "pipelines/impact_sync/status/README.md").read_text()
    ((example,),) = [re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    shown = shape(json.loads(example))
    for optional in ("cursors", "gaps"):
        assert told["campaigns"][0][optional] is not None
        told["campaigns"][0].pop(optional)
        shown["campaigns"][0].pop(optional)
    assert told == shown


@pytest.mark.parametrize("age", ["6 hours", "6h", "PT6H"])
def test_a_campaign_that_is_older_than_asked_for_ends_with_1(age: str) -> None:
    """What was last read up to more than `--max-age` ago is reported; what is newer, or not to be read, is not."""
    now = datetime.now(UTC)

    def campaign(id_: str, hours: float) -> dict[str, Any]:
        return {"id": id_, "cursors": dict.fromkeys(("updated", "locking"), (now - timedelta(hours=hours)).isoformat())}

    found = out_of_date([campaign("1", 7), campaign("2", 5), {"id": "3", "cursors": {}}], now - parse_duration(age))
    assert [line.split()[1] for line in found] == ["1", "3"]
    assert out_of_date([], now)


def test_status_is_a_check_for_a_monitor(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --max-age the exit code says whether every campaign to be read is fresh; an invalid age is refused."""
    account(days=2, per_day=2).sync()
    runner = CliRunner()
    late = runner.invoke(main, ["status", "--max-age", "1h"])
    assert (late.exit_code, late.output.count("is out of date")) == (1, 2), late.output
    assert runner.invoke(main, ["status", "--max-age", "5000 weeks"]).exit_code == 0
    assert runner.invoke(main, ["status"]).exit_code == 0
    monkeypatch.setenv("SOURCES__IMPACT__CAMPAIGN_IDS", "1000")
    assert runner.invoke(main, ["status", "--max-age", "1h"]).output.count("is out of date") == 1
    assert runner.invoke(main, ["status", "--max-age", "soon"]).exit_code == 2


def test_a_history_that_was_turned_off_is_said_to_end(account: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With history = false after true, status says up to when the versions are there; with it on, nothing."""
    account(days=2, per_day=2).sync()
    runner = CliRunner()
    assert "action_history" not in runner.invoke(main, ["status"]).output
    monkeypatch.setenv("SOURCES__IMPACT__HISTORY", "false")
    assert "action_history ends at 20" in runner.invoke(main, ["status"]).output
    assert json.loads(runner.invoke(main, ["status", "--json"]).output)["history_ends"].startswith("20")

"""Status tells where the warehouse stands, and proves from the ledger that nothing was left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.status import run
from sources.impact import Ask
from tests.conftest import CAMPAIGNS, Account

Make = Callable[..., Account]


def gaps(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Campaign and pass of every gap that status names."""
    capsys.readouterr()
    run(as_json=True)
    found = json.loads(capsys.readouterr().out)
    return [(campaign["id"], gap["pass"]) for campaign in found["campaigns"] for gap in campaign["gaps"]]


def test_windows_adjoin_whatever_was_asked(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """After plain syncs, ranges, and runs that were cut short, the windows up to the cursors leave no gap."""
    one = account(days=60, per_day=6)
    one.sync(Ask(since=one.world.now - timedelta(days=9)))
    one.sandbox.budget.limit, one.sandbox.budget.spent = 14, 0
    one.sync(max_wait=timedelta(0))
    one.sandbox.budget.limit, one.sandbox.budget.spent = 100_000, 0
    for _ in range(3):
        one.sync()
        assert gaps(capsys) == []
        one.world.advance(days=11)
        one.sync(Ask(since=one.world.now - timedelta(days=2)))
        assert gaps(capsys) == []


def test_a_first_run_of_a_range_leaves_no_gap_behind(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """After a first run with `--since` and a plain one, some time apart, all that the cursors vouch for was read."""
    one = account(days=20, per_day=2)
    one.sync(Ask(since=one.world.now - timedelta(days=9)))
    one.world.advance(hours=5)
    one.sync()
    assert gaps(capsys) == []


@pytest.mark.parametrize("pass_", ["updated", "locking"])
def test_a_window_missing_from_the_ledger_is_named(
    account: Make, capsys: pytest.CaptureFixture[str], pass_: str
) -> None:
    """Where the ledger has no window for a range that a cursor vouches for, status says which and how to read it."""
    one = account(days=60, per_day=6)
    for _ in range(4):
        one.sync(clearing_lookback=timedelta(0))  # the reach-back would have read the range again
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
    assert f"campaign 1000, {pass_}: nothing read from" in capsys.readouterr().out


def shape(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The keys of JSON, at every depth; of a list, those of its first object."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_the_json_is_as_the_readme_shows_it(account: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Status as JSON has the keys of the README's example, at every depth."""
    one = account(days=20, per_day=2, campaigns=CAMPAIGNS[:1])
    one.sync()
    one.world.advance(days=1)
    one.sync()
    with one.changing() as connection:  # a window that was never read
        connection.execute(
            "delete from sync_windows where pass = 'updated' "
            "and window_start between date '2025-01-01' and date '2025-06-01'"
        )
    capsys.readouterr()
    run(as_json=True)
    told = shape(json.loads(capsys.readouterr().out))
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    ((example,),) = [re.findall(r"```json\n(.*?)```", readme, re.DOTALL)]
    shown = shape(json.loads(example))
    for optional in ("cursors", "gaps"):
        assert told["campaigns"][0][optional] is not None
        told["campaigns"][0].pop(optional)
        shown["campaigns"][0].pop(optional)
    assert told == shown

"""dlt's own tools find what the commands have loaded, as the docs say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dlt

from tests.support.account import Account
from tests.support.commands import clean, environment, impact

DLT = str(Path(sys.executable).with_name("dlt"))


def test_dlt_describes_the_last_run_in_the_folder_that_is_logged(account: Callable[..., Account]) -> None:
    """`dlt pipeline impact info` and `trace`, given the folder that `impact -v sync` logs, show state and loads.

    `dlt.attach` finds the tables through the configuration.
    """
    world = account(days=2, per_day=2)
    said = clean(impact("-v", "sync", env=environment(world)), 0)
    (folder,) = set(re.findall(r"dlt's working folder is (\S+)", said))
    info, trace = (_dlt("pipeline", "--pipelines-dir", folder, "impact", operation) for operation in ("info", "trace"))
    assert "actions with 1 table(s)" in info
    assert "completed load packages" in info
    assert "contains no failed jobs" in trace
    found = dlt.attach("impact", folder).dataset().actions.select("id").fetchall()
    assert sorted(found) == world.query("select id from impact.actions order by id")


def _dlt(*arguments: str) -> str:
    """The output of dlt's own command."""
    env = os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false"}
    return clean(subprocess.run([DLT, *arguments], env=env, capture_output=True, text=True, check=False), 0)


def test_dlt_reads_the_tables_and_restores_the_state(account: Callable[..., Account], tmp_path: Path) -> None:
    """`dlt.dataset` has the rows; a pipeline of dlt's own gets schema and cursors from the warehouse."""
    world = account(days=2, per_day=2)
    world.first_sync()
    place = dlt.destinations.duckdb(str(world.path))
    found = dlt.dataset(place, "impact").actions.select("id").fetchall()
    assert sorted(found) == world.query("select id from impact.actions order by id")
    pipeline = dlt.pipeline("impact", str(tmp_path / "own"), destination=place, dataset_name="impact")
    pipeline.sync_destination()
    assert pipeline.default_schema_name == "impact"
    assert set(pipeline.state["sources"]["impact"]["campaigns"]) == {"1000", "2000"}

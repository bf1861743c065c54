"""The dbt package says what the warehouse is, and dbt itself runs it: `make dbt` sets that up."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from impact_source.settings import REFERENCE

from tests.support.account import Account

Make = Callable[..., Account]
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pipelines" / "dbt_impact"
DBT = os.environ.get("DBT", "")
needs_dbt = pytest.mark.skipif(not DBT, reason="make dbt installs it")


def declared() -> dict[str, dict[str, Any]]:
    """The tables and views of the source, by name."""
    (source,) = yaml.safe_load((PACKAGE / "models" / "impact.yml").read_text())["sources"]
    return {table["name"]: table for table in source["tables"]}


def dbt(folder: Path, warehouse: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run dbt in a project."""
    environment = {**os.environ, "WAREHOUSE": str(warehouse), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    return subprocess.run(
        [DBT, *arguments, "--profiles-dir", "."],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The dbt project of a user who has added the package."""
    folder = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "project", folder)
    (folder / "packages.yml").write_text(f"packages:\n  - local: {PACKAGE}\n")
    return folder


def test_the_source_is_what_the_tables_declare() -> None:
    """A column that is added or described anew is so in dbt too: if this fails, run generate.py."""
    spec = importlib.util.spec_from_file_location("generate", PACKAGE / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (PACKAGE / "models" / "impact.yml").read_text() == module.build()


def test_every_table_and_column_of_a_warehouse_is_in_the_source(account: Make) -> None:
    """What `impact sync` writes, without the columns that only dlt needs, has a name and a description in dbt."""
    one = account(days=20, per_day=3)
    one.sync(items="feed", items_max_requests=40, reference=REFERENCE)
    held: dict[str, set[str]] = {}
    sql = (
        "select table_name, column_name from duckdb_columns() where schema_name = 'impact' and not internal "
        "and table_name not like '\\_dlt%' escape '\\' and column_name not like '\\_dlt%' escape '\\' "
        "and column_name not in ('removed', 'resolved') and comment is not null"
    )
    for table, column in one.query(sql):
        held.setdefault(table, set()).add(column)
    said = {name: {column["name"] for column in table["columns"]} for name, table in declared().items()}
    assert {name: left for name, columns in held.items() if (left := columns - said.get(name, set()))} == {}
    without = [
        (name, column["name"])
        for name, table in declared().items()
        for column in table["columns"]
        if not column.get("description")
    ]
    assert without == []


@needs_dbt
def test_dbt_finds_the_account_fresh_and_its_keys_unique(account: Make, project: Path) -> None:
    """In a project of a user's own: the freshness, the tests of all tables, and a model that reads a view."""
    one = account(days=40, per_day=5)
    one.sync(items="feed", items_max_requests=40, reference=REFERENCE)
    for command in ("deps", "run", "test"):
        done = dbt(project, one.path, command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert one.query("select sum(actions), sum(payout) from marts.commission") == one.query(
        "select count(*), sum(payout) from impact.settlement"
    )
    dbt(project, one.path, "source", "freshness")
    (found,) = json.loads((project / "target" / "sources.json").read_text())["results"]
    ((as_of,),) = one.query("select min(as_of) from impact.freshness")
    assert datetime.fromisoformat(found["max_loaded_at"]) == as_of


@needs_dbt
def test_dbt_tells_a_key_that_occurs_twice(account: Make, project: Path) -> None:
    """A row that somebody doubled fails the test of its table and of the view over it, and no other."""
    one = account(days=10, per_day=3)
    one.sync(items="feed", items_max_requests=40, reference=REFERENCE)
    with one.changing() as connection:
        connection.execute("insert into action_items select * from action_items limit 1")
    dbt(project, one.path, "deps")
    assert dbt(project, one.path, "test").returncode == 1
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    failed = {r["unique_id"].split(".")[2] for r in results if r["status"] != "pass"}
    assert failed == {
        "source_unique_together_impact_action_items_action_id__sku",
        "source_unique_together_impact_action_item_history_action_id__sku__valid_from",
    }

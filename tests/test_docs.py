"""The README promises what exists: its commands are real, and its query gives the result it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
from filelock import FileLock
from impact_sync.cli import main
from impact_sync.corrections.plan.request import COLUMNS
from impact_sync.views import texts

from tests.support.commands import clean, environment, impact

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SAID = "said.txt"


def test_every_command_has_its_section_and_every_section_its_command() -> None:
    """The README has a section for each command, and none for others."""
    assert re.findall(r"^## impact (\w+)$", README, re.MULTILINE) == list(main.commands)


def test_the_options_in_the_readme_are_those_of_the_commands() -> None:
    """A synopsis lists exactly the options that its command takes."""
    synopses: dict[click.Command, set[str]] = {}
    for verb, synopsis in re.findall(r"^impact (\w+) (.*(?:\[|--).*)$", README, re.MULTILINE):
        command = main.commands[verb]
        if isinstance(command, click.Group):
            command = command.commands[synopsis.split()[0]]
        synopses.setdefault(command, set()).update(re.findall(r"(?<![\w-])--?[\w-]+", synopsis))
    for command, named in synopses.items():
        options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts + p.secondary_opts}
        assert named == options


def test_the_columns_in_the_readme_and_in_the_help_are_those_of_a_file() -> None:
    """Every column that a file of corrections may have is explained in both places."""
    section = README.partition("\n## impact corrections\n")[2].partition("\n## ")[0]
    assert [column for column in COLUMNS if f"`{column}`" not in section] == []
    group = main.commands["corrections"]
    assert isinstance(group, click.Group)
    assert [column for column in COLUMNS if column not in (group.commands["plan"].help or "")] == []


def test_every_make_target_in_the_readme_exists() -> None:
    """`make x` works for every x that the README names."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)$", README, re.MULTILINE)) <= targets


def test_every_folder_in_contributing_exists_and_every_package_is_named() -> None:
    """A newcomer finds each folder that the page lists, and each folder of the packages that has its own idea."""
    named = set(re.findall(r"^\| `([\w/]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert {name for name in named if not (ROOT / name).is_dir()} == set()
    packages = (path.parent for root in ("sources", "pipelines") for path in (ROOT / root).glob("*/*/__init__.py"))
    assert {str(path.relative_to(ROOT)) for path in packages} <= named


def test_the_views_in_the_readme_exist() -> None:
    """Every view that is created is named in the README, and every one it names is created."""
    assert set(re.findall(r"^from impact\.(\w+);", README, re.MULTILINE)) == texts().keys()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `impact demo` has run once for all workers, with its output."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "the-demo"
    with FileLock(f"{folder}.lock"), pytest.MonkeyPatch.context() as patch:
        if not folder.exists():
            folder.mkdir()
            patch.chdir(folder)
            env = environment(DLT_DATA_DIR=str(folder / "dlt"), COLUMNS="140")
            (folder / SAID).write_text(clean(impact("demo", env=env), 0))
    return folder


def test_the_demo_shows_what_a_month_changed(demo: Path) -> None:
    """`impact demo` needs nothing, shows approvals of the past month, and leaves a warehouse to query."""
    summaries = re.findall(r"Acme Campaign\W+([\d,]+)\W+([\d,]+)\W+([\d,]+)\W+([\d,]+)", (demo / SAID).read_text())
    assert len(summaries) == 2
    assert int(summaries[1][3].replace(",", "")) > 1_000
    assert (demo / "impact-demo.duckdb").exists()


ZONES = ["UTC", "America/Los_Angeles", "Asia/Tokyo"]


@pytest.mark.parametrize("zone", ZONES)
def test_every_query_gives_the_result_that_is_shown(demo: Path, zone: str) -> None:
    """After the demo, each of the README's queries answers what the README says, whatever the session's time zone."""
    pairs = re.findall(r"```sql\n([^`]*)```\n\n```text\n([^`]*)```", README)
    assert len(pairs) > 1
    with duckdb.connect(str(demo / "impact-demo.duckdb"), read_only=True) as connection:
        connection.execute(f"set timezone = '{zone}'")
        for query, shown in pairs:
            assert str(connection.sql(query)).strip() == shown.strip()


def test_the_demo_knows_what_was_owed_at_month_end(demo: Path) -> None:
    """The last sync before the account's month end is minutes before it: the README's answer is not mid-January's."""
    with duckdb.connect(str(demo / "impact-demo.duckdb"), read_only=True) as connection:
        ((last,),) = connection.execute(
            "select max(until) from impact.sync_runs where until < timestamptz '2026-02-01 00:00:00-08'"
        ).fetchall()
    assert datetime(2026, 2, 1, 8, tzinfo=UTC) - last < timedelta(minutes=10)


@pytest.mark.parametrize("zone", ZONES)
def test_the_python_in_the_readme_prints_what_is_shown(demo: Path, zone: str) -> None:
    """The README's script, run beside the demo's warehouse, prints the README's result on a machine of any zone."""
    ((script, shown),) = re.findall(r"```python\n([^`]*)```\n\n```text\n([^`]*)```", README)
    environment = os.environ | {"TZ": zone}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=demo, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == shown.strip()


@pytest.mark.parametrize("zone", ZONES)
def test_the_notebook_shows_what_its_cells_answer(demo: Path, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell of the notebook, run in order beside the demo's warehouse, gives its output in any time zone."""
    monkeypatch.chdir(demo)
    cells = json.loads((ROOT / "pipelines/impact_sync/views/questions.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}
    asked = 0
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        source = "".join(cell["source"])
        if not cell["outputs"]:
            exec(source, names)  # noqa: S102 - the notebook is ours
            names["warehouse"].execute(f"set timezone = '{zone}'")
            continue
        (output,) = cell["outputs"]
        assert str(eval(source, names)).strip() == "".join(output["data"]["text/plain"])  # noqa: S307 - the same
        asked += 1
    assert asked > 1

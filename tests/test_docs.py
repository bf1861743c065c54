"""The documentation promises what exists: its commands are real, its examples work, its links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
from filelock import FileLock
from impact_sync.cli import main
from impact_sync.configuration import check
from impact_sync.corrections.journal.columns import COLUMNS as JOURNAL
from impact_sync.corrections.plan.request import COLUMNS
from impact_sync.views import texts

from tests.docs import COMMANDS, ROOT, made, pages
from tests.support.account import Account
from tests.support.commands import clean, environment, impact

PAGES = pages()
SAID = "said.txt"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SQL_AND_RESULT = re.compile(r"^```sql\n([^`]*)```\n\n```text\n([^`]*)```", re.MULTILINE)
_PYTHON_AND_RESULT = re.compile(r"^```python\n([^`]*)```\n\n```text\n([^`]*)```", re.MULTILINE)
_ELSEWHERE = ("pyspark",)
"""Libraries of examples that need a server of their own."""


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Every fenced block in a language, with its page."""
    for page, text in PAGES.items():
        yield from ((page, block) for kind, block in _FENCE.findall(text) if kind == language)


def lines() -> set[str]:
    """Every line that is to be typed in a terminal."""
    return {line.strip() for _, block in blocks("console") for line in block.split("\n")}


def test_what_is_made_from_the_code_is_current() -> None:
    """The commands' help, the table of commands and the views are as the code has them: else run `make docs`."""
    assert [page for page, text in PAGES.items() if made(page, text) != text] == []


def test_the_readme_fits_its_readers() -> None:
    """The first page has at most 150 lines."""
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_every_command_has_its_section_and_every_section_its_command() -> None:
    """The commands' page has a section for each command, and none for others."""
    assert re.findall(r"^## impact (\w+)$", PAGES[f"{COMMANDS}/README.md"], re.MULTILINE) == list(main.commands)


def test_every_command_line_is_one_that_the_commands_take() -> None:
    """Wherever a page writes `impact …`, the command exists and has the options that are given."""
    written = {line.removeprefix(".venv/bin/") for line in lines()}
    written |= {span for text in PAGES.values() for span in re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))}
    ours = {line for line in written if line.startswith("impact ")}
    assert len(ours) > 30
    for line in sorted(ours):
        take(main, shlex.split(line, comments=True)[1:], line)


def take(command: click.Command, words: list[str], line: str) -> None:
    """Parse the words as the command would, without running it; an option may be named without its value."""
    try:
        _, rest, _ = command.make_parser(click.Context(command)).parse_args(words)
    except click.BadOptionUsage:
        return
    if isinstance(command, click.Group) and rest:
        assert rest[0] in command.commands, line
        take(command.commands[rest[0]], rest[1:], line)


def test_the_columns_in_the_docs_and_in_the_help_are_those_of_a_file() -> None:
    """Every column that a file of corrections may have is explained in both places."""
    page = PAGES[f"{COMMANDS}/corrections/README.md"]
    assert [column for column in COLUMNS if f"`{column}`" not in page] == []
    group = main.commands["corrections"]
    assert isinstance(group, click.Group)
    assert [column for column in COLUMNS if column not in (group.commands["plan"].help or "")] == []


def test_every_make_target_in_the_docs_exists() -> None:
    """`make x` works for every x that a page names."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target for text in PAGES.values() for target in re.findall(r"(?:^|`)make ([a-z-]+)(?:`|$)", text, re.MULTILINE)
    }
    assert len(named) > 10
    assert named <= targets


def test_every_program_in_the_docs_exists() -> None:
    """What a page runs with Python, and every path of this tree that it writes, is there."""
    modules = {module for text in PAGES.values() for module in re.findall(r"python -m ([\w.]+)", text)}
    assert {module for module in modules if importlib.util.find_spec(module) is None} == set()
    written = {word for line in lines() for word in line.split()}
    written |= {span for text in PAGES.values() for span in re.findall(r"`([^`\s]+)`", text)}
    paths = {word for word in written if re.match(r"(sources|pipelines|tests)/(?!.*(NAME|VERB))\w", word)}
    assert len(paths) > 20
    assert {path for path in paths if not any(ROOT.glob(path.rstrip("/")))} == set()


def test_every_folder_in_contributing_exists_and_every_package_is_named() -> None:
    """A newcomer finds each folder that the page lists, and each folder of the packages that has its own idea."""
    named = set(re.findall(r"^\| `([\w/]+)` \|", PAGES["CONTRIBUTING.md"], re.MULTILINE))
    assert {name for name in named if not (ROOT / name).is_dir()} == set()
    packages = (path.parent for root in ("sources", "pipelines") for path in (ROOT / root).glob("*/*/__init__.py"))
    assert {str(path.relative_to(ROOT)) for path in packages} <= named


def test_the_views_in_the_docs_exist() -> None:
    """Every view that is created has its section."""
    sections = set(re.findall(r"^### (\w+)$", PAGES[f"{COMMANDS}/views/README.md"], re.MULTILINE))
    assert texts().keys() <= sections


def test_every_link_leads_somewhere() -> None:
    """Each link and picture leads to a file of this tree, and to a heading if it names one; every page is linked."""
    broken, linked = [], {"README.md"}
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text)):
            if link.startswith("https://"):
                continue
            path, _, heading = link.partition("#")
            target = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
            name = os.path.relpath(target, ROOT)
            linked.add(name)
            if not target.exists() or (heading and heading not in headings(PAGES[name])):
                broken.append((page, link))
    assert broken == []
    assert PAGES.keys() <= linked


def headings(text: str) -> set[str]:
    """The names by which GitHub links to the headings of a page."""
    found = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_message_in_the_docs_is_one_of_ours() -> None:
    """Each message that troubleshooting explains is one that the program can print."""
    said = "".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text())
        for root in ("sources", "pipelines")
        for path in (ROOT / root).rglob("*.py")
    )
    sections = PAGES[f"{COMMANDS}/console/README.md"].partition("\n## ")[2]
    messages = re.findall(r"^\| `([^`]+)`", sections, re.MULTILINE)
    assert len(messages) > 20
    assert [message for message in messages if message not in said] == []


@pytest.mark.parametrize("toml", [block for _, block in blocks("toml")])
def test_every_setting_in_the_docs_exists(toml: str, tmp_path: Path) -> None:
    """Each configuration that a page shows can be read, and has only keys that something reads."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt/config.toml").write_text(toml)
    check()


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


def test_the_recording_is_what_the_demo_prints(demo: Path) -> None:
    """Each line of the recording on the first page is one of the demo's, in this order; `…` stands for others.

    How many actions were read depends on how long it took.
    """
    (recording,) = re.findall(r"```text\n\$ make demo\n(.*?)```", PAGES["README.md"], re.DOTALL)
    said, shown = (
        re.sub(r"^(│\d+ [\w ]+│) +[\d,]+ │", r"\1", text, flags=re.MULTILINE).split("\n")
        for text in ((demo / SAID).read_text(), recording.strip())
    )
    rest = iter(said)
    assert [line for line in shown if line != "…" and line not in rest] == []
    assert len(shown) > 5


ZONES = ["UTC", "America/Los_Angeles", "Asia/Tokyo"]


@pytest.mark.parametrize("zone", ZONES)
def test_every_query_gives_the_result_that_is_shown(demo: Path, zone: str) -> None:
    """After the demo, each query of a page answers what the page says, whatever the session's time zone."""
    pairs = [pair for text in PAGES.values() for pair in _SQL_AND_RESULT.findall(text)]
    assert len(pairs) > 2
    with duckdb.connect(str(demo / "impact-demo.duckdb"), read_only=True) as connection:
        connection.execute(f"set timezone = '{zone}'")
        for query, shown in pairs:
            assert str(connection.sql(query)).strip() == shown.strip()


def test_every_query_can_be_asked(demo: Path, tmp_path: Path) -> None:
    """Each query of a page, shown with a result or without, names tables and columns that exist."""
    path = shutil.copy(demo / "impact-demo.duckdb", tmp_path)
    queries = [block for _, block in blocks("sql")]
    assert len(queries) > 5
    with duckdb.connect(path) as connection:
        columns = ", ".join(f"{column.name} {column.type}" for column in JOURNAL)
        connection.execute(f"create table if not exists impact.corrections ({columns})")
        for query in queries:
            connection.execute(query)


def test_the_demo_knows_what_was_owed_at_month_end(demo: Path) -> None:
    """The last sync before the account's month end is minutes before it: the answer shown is not mid-January's."""
    with duckdb.connect(str(demo / "impact-demo.duckdb"), read_only=True) as connection:
        ((last,),) = connection.execute(
            "select max(until) from impact.sync_runs where until < timestamptz '2026-02-01 00:00:00-08'"
        ).fetchall()
    assert datetime(2026, 2, 1, 8, tzinfo=UTC) - last < timedelta(minutes=10)


@pytest.mark.parametrize("zone", ZONES)
def test_the_python_in_the_docs_prints_what_is_shown(demo: Path, zone: str) -> None:
    """A page's script, run beside the demo's warehouse, prints the page's result on a machine of any zone."""
    pairs = [pair for text in PAGES.values() for pair in _PYTHON_AND_RESULT.findall(text)]
    assert pairs
    for script, shown in pairs:
        assert run(script, demo, os.environ | {"TZ": zone}).strip() == shown.strip()


def test_the_python_in_the_docs_works(account: Callable[..., Account], tmp_path: Path) -> None:
    """Each other script of a page runs to its end on a small account; one that needs a server only finds our names."""
    env = environment(account(days=3, per_day=2))
    scripts = [block for _, block in blocks("python") if "impact-demo.duckdb" not in block]
    assert len(scripts) > 3
    for script in scripts:
        if not any(name in script for name in _ELSEWHERE):
            run(script, tmp_path, env)
            continue
        for node in ast.walk(ast.parse(script)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("impact_"):
                assert {one.name for one in node.names} <= vars(importlib.import_module(str(node.module))).keys()


def run(script: str, folder: Path, env: dict[str, str]) -> str:
    """What a script prints that ends well."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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

"""The README promises what is there: its commands exist, and its query gives the result it shows."""

from __future__ import annotations

import re
from pathlib import Path

import click
import duckdb

from pipelines.cli import main
from pipelines.corrections.request import COLUMNS
from pipelines.demo import run as run_demo
from pipelines.views import texts

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_command_has_its_section_and_every_section_its_command() -> None:
    """The README has a section for each command, and none for what does not exist."""
    assert re.findall(r"^## impact (\w+)$", README, re.MULTILINE) == list(main.commands)


def test_the_options_in_the_readme_are_those_of_the_commands() -> None:
    """A synopsis lists exactly the options that its command takes."""
    synopses: dict[click.Command, set[str]] = {}
    for verb, synopsis in re.findall(r"^impact (\w+) (.*(?:\[|--).*)$", README, re.MULTILINE):
        command = main.commands[verb]
        if isinstance(command, click.Group):
            command = command.commands[synopsis.split()[0]]
        synopses.setdefault(command, set()).update(re.findall(r"--[\w-]+", synopsis))
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


def test_the_views_in_the_readme_exist() -> None:
    """Every view that is created is named in the README, and every one it names is created."""
    assert set(re.findall(r"^from impact\.(\w+);", README, re.MULTILINE)) == texts().keys()


def test_the_first_query_gives_the_result_that_is_shown() -> None:
    """After the demo, the README's query answers what the README says."""
    run_demo()
    ((query, shown),) = re.findall(r"```sql\n([^`]*)```\n\n```text\n([^`]*)```", README)
    with duckdb.connect("impact-demo.duckdb", read_only=True) as connection:
        assert str(connection.sql(query)).strip() == shown.strip()

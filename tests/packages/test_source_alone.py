"""The folder `impact_source`, copied into a dlt project as `dlt init` does, needs nothing else of ours."""

from __future__ import annotations

import ast
import shutil
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import duckdb
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .environment import ROOT, Environment, requirements

SOURCE = ROOT / "sources" / "impact_source"


def test_its_requirements_are_those_of_the_project() -> None:
    """Each line of its `requirements.txt` is in pyproject, including its bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(map(Requirement, requirements())) <= set(map(Requirement, project["dependencies"]))


def test_its_requirements_name_all_that_it_imports() -> None:
    """A library that a module imports has a line, so that an upgrade of dlt's own requirements does not remove it."""
    imported = {
        name.partition(".")[0]
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _absolute(node)
    } - set(sys.stdlib_module_names)
    known = packages_distributions()
    named = {canonicalize_name(Requirement(line).name) for line in requirements()}
    # duckdb is used by the script that is copied along.
    assert {canonicalize_name(known[name][0]) for name in imported} == named - {"duckdb"}


def _absolute(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and not node.level and node.module else []


@pytest.mark.long
def test_it_works_in_a_dlt_project_of_somebody_else(
    alone: Environment, sandbox: dict[str, str], tmp_path: Path
) -> None:
    """With its requirements alone, the script that a user starts from loads actions and items, run after run."""
    project = tmp_path / "project"
    project.mkdir()
    shutil.copytree(SOURCE, project / "impact_source", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pipelines" / "impact_pipeline.py", project)
    for _ in range(2):
        done = alone.run("python", "impact_pipeline.py", folder=project, **sandbox)
        assert done.returncode == 0, done.stderr
        assert "1 load package(s) were loaded to destination duckdb" in done.stdout
    with duckdb.connect(str(project / "impact_pipeline.duckdb"), read_only=True) as connection:
        ((actions, items),) = connection.execute(
            "select (select count(*) from impact.actions), (select count(distinct action_id) from impact.action_items)"
        ).fetchall()
    assert actions == items > 50

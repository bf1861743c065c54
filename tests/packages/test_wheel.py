"""What `pip install impact-sync` brings works in an empty folder, and disturbs nobody's project."""

from __future__ import annotations

import tomllib
from pathlib import Path
from zipfile import ZipFile

import duckdb
import pytest

from .environment import ROOT, Environment

PACKAGES = {"impact_sandbox", "impact_source", "impact_sync"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_wheel_holds_our_packages_with_all_that_they_read_and_nothing_else(wheel: Path) -> None:
    """Every file of the three packages is in the wheel, except caches, pages and pictures, and no other folder is."""
    names = {name for name in ZipFile(wheel).namelist() if not name.split("/")[0].endswith(".dist-info")}
    folders = [ROOT / "sources" / "impact_sandbox", ROOT / "sources" / "impact_source", ROOT / "pipelines/impact_sync"]
    assert {folder.name for folder in folders} == PACKAGES
    assert names == {
        str(path.relative_to(folder.parent))
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".md", ".png"}
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment in which the wheel was installed, with all extras."""
    extras = PROJECT["optional-dependencies"].values()
    made = Environment(
        tmp_path_factory.mktemp("environment"),
        [*PROJECT["dependencies"], *(need for group in extras for need in group)],
    )
    made.install(wheel)
    return made


@pytest.mark.long
def test_the_installed_commands_work_in_an_empty_folder(
    installed: Environment, sandbox: dict[str, str], tmp_path: Path
) -> None:
    """Installed from the wheel, `impact` checks, syncs, reports and shows its demo where nothing of the tree exists."""
    folder = tmp_path / "empty"
    folder.mkdir()
    for verb, left in (("check", None), ("sync", "impact_warehouse.duckdb"), ("report", "impact-report.html")):
        done = installed.run("impact", verb, folder=folder, **sandbox)
        assert done.returncode == 0, done.stderr
        assert left is None or (folder / left).exists()
    with duckdb.connect(str(folder / "impact_warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) > 50 from impact.settlement").fetchall() == [(True,)]
    done = installed.run("impact", "demo", folder=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "impact-demo.duckdb").exists()


@pytest.mark.long
def test_a_project_s_own_sources_and_pipelines_are_its_own(installed: Environment, tmp_path: Path) -> None:
    """In a dlt project with packages `sources` and `pipelines`, these are found, and ours beside them."""
    for name in ("sources", "pipelines"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"whose = 'the {name} of the project'\n")
    script = (
        "import sources, pipelines, impact_source, impact_sandbox, impact_sync\n"
        "print(sources.whose, pipelines.whose, impact_source.__file__, sep='\\n')\n"
    )
    (tmp_path / "script.py").write_text(script)
    done = installed.run("python", "script.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    mine, yours, source = done.stdout.splitlines()
    assert (mine, yours) == ("the sources of the project", "the pipelines of the project")
    assert source.startswith(str(installed.bin.parent))

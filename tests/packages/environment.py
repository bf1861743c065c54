"""Environments without a download: distributions of the running one, visible to a test's own interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def build(folder: Path) -> Path:
    """The wheel of this tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def requirements() -> list[str]:
    """The lines of the source's own requirements."""
    lines = (ROOT / "sources" / "impact_source" / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class Environment:
    """An empty environment that has what the requirements name, and their own requirements."""

    def __init__(self, folder: Path, needs: Iterable[str]) -> None:
        venv.create(folder, symlinks=True, with_pip=False)
        self.bin = folder / "bin"
        (self._site,) = folder.glob("lib/python*/site-packages")
        for name in _closure(needs):
            self._link(name)

    def _link(self, name: str) -> None:
        found = distribution(name)
        for top in {path.parts[0] for path in found.files or []} - {"..", "__pycache__"}:
            if not (link := self._site / top).exists():
                link.symlink_to(Path(str(found.locate_file(top))))

    def install(self, wheel: Path) -> None:
        """Install a wheel; its requirements are there."""
        command = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "--quiet"]
        subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)

    def run(self, *command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in a folder, configured only by `env`."""
        plain = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=folder,
            env={"PATH": f"{self.bin}:{os.defpath}", "DLT_DATA_DIR": str(folder / "dlt-data")} | plain | env,
            capture_output=True,
            text=True,
            check=False,
        )


def _closure(needs: Iterable[str]) -> set[str]:
    """Names of the distributions that are installed for these requirements."""
    found: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(one) for one in needs]
    while todo:
        one = todo.pop()
        extras = frozenset(one.extras)
        if (one.name, extras) in found:
            continue
        try:
            inner = [Requirement(line) for line in distribution(one.name).requires or []]
        except PackageNotFoundError:  # for another system
            continue
        found.add((one.name, extras))
        todo += [need for need in inner if _wanted(need, extras)]
    return {name for name, _ in found}


def _wanted(need: Requirement, extras: frozenset[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""})

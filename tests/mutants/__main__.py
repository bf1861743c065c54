"""Whether the tests detect mistakes: `python -m tests.mutants [--again] [part of a module's path ...]`.

mutmut makes one small mistake at a time in a module and runs the tests that reach it. Here it does so module by module,
in a copy of the tree (`.mutants/`), with the tests that `modules.py` names. Fails if less than 90 % of a module's
mutants are detected, or if one survives that `survivors.toml` does not explain. `--again` tries only the survivors of
the last time, with the current tests. Of modules whose tests take seconds, every fifth mutant is tried, the same ones
each time.

mutmut does not change decorated functions (including properties) or code outside of functions. A mistake in the words
of a message does not count: such mutants are counted separately and need not be detected.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import click
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

from tests.mutants.modules import MODULES, SAMPLED

_ROOT = Path(__file__).parents[2]
_COPY = _ROOT / ".mutants"
_PACKAGES = ("sources/impact_source", "sources/impact_sandbox", "pipelines/impact_sync")
_LEAST = 90
_SURVIVED = {0, 5, 33, None}
"""mutmut's codes: the tests passed, there is none, none reaches it, it was not tried."""
_SAMPLE = ("*_3", "*_8", "*[0-9]3", "*[0-9]8")
"""Every fifth mutant of a function, by mutmut's names for them, which end in a number."""
_CONFIGURATION = """
[tool.mutmut]
source_paths = ["impact_source", "impact_sync"]
only_mutate = ["{module}"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = [
    "-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "tests.mutants.quickest_first",
    "--hypothesis-seed=0", "--hypothesis-profile=mutants",
]
process_isolation = "forkserver"
"""
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SENTENCE = 2
"""Blanks mark a text as a sentence, not a value that the code compares with."""
_OF_MESSAGE = re.compile(r"msg = |_log\.")


@dataclass(frozen=True)
class Mutant:
    """A mistake: its function, the lines that it changed, and the result."""

    function: str
    was: str
    now: str

    @property
    def is_wording(self) -> bool:
        """Whether it is in a message only."""
        if _OF_MESSAGE.match(self.was) or self.function.endswith("__str__"):
            return True
        texts = [(a, b) for a, b in zip(_texts(self.was), _texts(self.now), strict=False) if a != b]
        in_text = _LITERAL.sub("", self.was) == _LITERAL.sub("", self.now)
        return (in_text and all(a.count(" ") >= _SENTENCE for a, _ in texts)) or (
            self.was.replace("(msg", "(None", 1) == self.now
        )


def _texts(code: str) -> list[str]:
    return _LITERAL.findall(code)


def _copy(module: str, folder: Path) -> None:
    """Make a separate tree for the module, with mutmut's configuration and the current tests."""
    left_out = shutil.ignore_patterns("__pycache__", ".*")
    for name in (*_PACKAGES, "tests"):
        shutil.copytree(_ROOT / name, folder / Path(name).name, ignore=left_out, dirs_exist_ok=True)
    configuration = _CONFIGURATION.format(module=_in_copy(module), tests=json.dumps(MODULES[module]))
    (folder / "pyproject.toml").write_text((_ROOT / "pyproject.toml").read_text() + configuration)


def _in_copy(module: str) -> str:
    """Where a module is in the copy. mutmut uses paths as names, so packages have to be at its root."""
    return str(Path(*Path(module).parts[1:]))


def _codes(folder: Path, module: str) -> dict[str, int | None]:
    """The result of each mutant, by mutmut's name for it."""
    meta = json.loads((folder / "mutants" / f"{_in_copy(module)}.meta").read_text())
    return dict(meta["exit_code_by_key"])


def _tried(folder: Path, module: str) -> dict[str, int | None]:
    """The same for those that are tried: all, or a sample."""
    codes = _codes(folder, module)
    if module not in SAMPLED:
        return codes
    return {name: code for name, code in codes.items() if any(fnmatch(name, pattern) for pattern in _SAMPLE)}


@dataclass(frozen=True)
class Result:
    """All mutants of a module, those that were tried, and those of them that survived."""

    all: list[Mutant]
    tried: list[Mutant]
    survivors: list[Mutant]


def _run(module: str, *, again: bool) -> Result:
    folder = _COPY / Path(module).with_suffix("").as_posix().replace("/", ".")
    names: list[str] = list(_SAMPLE) if module in SAMPLED else []
    if again:
        names = [name for name, code in _tried(folder, module).items() if code in _SURVIVED]
    else:
        shutil.rmtree(folder, ignore_errors=True)
    _copy(module, folder)
    if names or not again:
        command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "1", *names]
        with (folder / "mutmut.log").open("w") as log:
            done = subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False)
        if done.returncode:
            click.echo((folder / "mutmut.log").read_text()[-4_000:])
            sys.exit(f"mutmut could not try {module}")
    tried = _tried(folder, module)
    with contextlib.chdir(folder):
        mutants = {name: _described(name, module) for name in _codes(folder, module)}
    survivors = [mutants[name] for name, code in tried.items() if code in _SURVIVED]
    return Result(list(mutants.values()), [mutants[name] for name in tried], survivors)


def _described(name: str, module: str) -> Mutant:
    function, class_ = orig_function_and_class_names_from_key(name)
    lines = get_diff_for_mutant(name, path=_in_copy(module)).splitlines()[2:]
    was, now = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Mutant(f"{class_}.{function}" if class_ else function, was, now)


def _explained() -> dict[str, set[Mutant]]:
    """The survivors that are known to change nothing, by module."""
    listed = tomllib.loads((Path(__file__).parent / "survivors.toml").read_text())
    return {
        module: {Mutant(one["function"], one["was"], one["now"]) for one in survivors if one["why"]}
        for module, survivors in listed.items()
    }


def main(arguments: Iterable[str]) -> int:
    """Try the named modules, or all; 1 if a mutant is not accounted for."""
    wanted = [one for one in arguments if one != "--again"]
    modules = [module for module in MODULES if not wanted or any(part in module for part in wanted)]
    explained, failed, began = _explained(), False, time.monotonic()
    click.echo(f"{'module':45} mutants  killed    %  equivalent  wording    s")
    for module in modules:
        start = time.monotonic()
        result = _run(module, again="--again" in arguments)
        known = explained.get(module, set())
        counted = [one for one in result.tried if not one.is_wording]
        survivors = [one for one in result.survivors if not one.is_wording]
        open_ = [one for one in survivors if one not in known]
        killed = len(counted) - len(survivors)
        share = 100 * killed / len(counted) if counted else 100
        failed |= bool(open_) or share < _LEAST
        click.echo(
            f"{module:45} {len(counted):7} {killed:7} {share:4.0f} {len(survivors) - len(open_):11}"
            f" {len(result.tried) - len(counted):8} {time.monotonic() - start:4.0f}"
        )
        for one in open_:
            click.echo(f"  {one.function}\n    - {one.was}\n    + {one.now}")
        for one in known - set(result.all):
            click.echo(f"  explained and not there any more: {one.function}: {one.was}")
    click.echo(f"{(time.monotonic() - began) / 60:.0f} minutes")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

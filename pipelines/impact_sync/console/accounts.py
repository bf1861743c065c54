"""One command in the folders of several accounts, one after the other, each as if it had been started there.

Importing what a command needs takes longer than a sync with little to read: here one process pays for it once. Accounts
share nothing else: each folder has its own configuration, warehouse, lock and hourly limit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from glob import glob, has_magic
from pathlib import Path

import click

from .. import configuration
from .turn import turn

_OWN = re.compile(
    r"SOURCES__IMPACT__(ACCOUNT_SID|AUTH_TOKEN)|IMPACT__LAKE_ACCOUNT|DLT_PROJECT_DIR|DLT_LOCAL_DIR"
    r"|(?!SOURCES__)(\w+__)?CREDENTIALS(__DATABASE)?"
)
"""Variables that hold what is an account's own: who it is, where its settings are, which warehouse it has."""


def find(given: Iterable[str]) -> dict[Path, str]:
    """The accounts' folders with the names by which to show them; a pattern stands for all that have settings.

    Raises `ValueError` if there is no such folder, or the environment sets what each account has to set for itself.
    """
    found: dict[Path, str] = {}
    for text in given:
        named = sorted(glob(text)) if has_magic(text) else [text]  # noqa: PTH207 - names are shown as they were given
        folders = [name for name in named if (Path(name) / configuration.folder()).is_dir()]
        if not folders:
            msg = f"{text} has no folder {configuration.folder()} with the settings of an account"
            raise ValueError(msg)
        for name in folders:
            found.setdefault(Path(name).resolve(), name)
    if len(found) > 1:
        _check_environment(len(found))
    return found


def _check_environment(accounts: int) -> None:
    names = [name for name in os.environ if _OWN.fullmatch(name)]
    if Path(configuration.folder()).is_absolute():
        names.append("DLT_CONFIG_FOLDER")
    if names:
        msg = f"all {accounts} accounts would share {', '.join(names)} from the environment: "
        raise ValueError(msg + "unset what is named, and set it in each folder's .dlt")


def in_turn(folders: Mapping[Path, str], command: Callable[[], int]) -> int:
    """Run a command in each folder, or here if there is none, and return the worst exit code.

    An account that fails does not keep the others from their turn; an interrupt ends all.
    """
    from .exits import Exit, worst  # noqa: PLC0415 - help is instant
    from .failures import guarded  # noqa: PLC0415 - help is instant

    if len(folders) < 2:  # noqa: PLR2004 - an account alone needs no name
        return guarded(partial(_run, next(iter(folders), None), command))
    codes: dict[str, int] = {}
    for path, name in folders.items():
        _announce(name, first=not codes)
        codes[name] = guarded(partial(_run, path, command))
        turn.account = ""
        if codes[name] >= Exit.INTERRUPTED:
            return codes[name]
    _conclude(codes)
    return worst(codes.values())


def _run(folder: Path | None, command: Callable[[], int]) -> int:
    if folder is not None:
        os.chdir(folder)
        configuration.set_defaults()
    configuration.check()
    if folder is not None:
        from dlt.common.configuration.container import Container  # noqa: PLC0415 - help is instant
        from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext  # noqa: PLC0415

        Container()[PluggableRunContext].reload(".")  # dlt keeps what it has read
    return command()


def _announce(name: str, *, first: bool) -> None:
    from .screen import console  # noqa: PLC0415 - help is instant

    turn.account = name
    console().print(name if first else f"\n{name}", style="bold", soft_wrap=True)


def _conclude(codes: Mapping[str, int]) -> None:
    """Say in the last line which accounts did not end with 0."""
    from impact_source.shown import visible  # noqa: PLC0415 - help is instant

    bad = [f"{name} ended with {code}" for name, code in codes.items() if code]
    text = f"{len(codes) - len(bad)} of {len(codes)} accounts are done" + "".join(f"; {each}" for each in bad)
    click.echo(f"impact: {visible(text)}" if bad else f"\nAll {len(codes)} accounts are done.", err=bool(bad))

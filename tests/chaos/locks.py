"""Syncs to Postgres that lose their run lock at some request, while a second run gets in; compared with the truth."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg2
from impact_sandbox import Request
from impact_source.errors import ImpactError
from impact_sync.console.exits import Exit, exit_code
from impact_sync.sync.run import sync

from tests.chaos.truth import Damage, change_some
from tests.support import postgres
from tests.support.account import Account
from tests.support.commands import environment
from tests.support.warehouses import assert_true

_END = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"


@dataclass
class Lost:
    """Locks that were lost, and what it cost."""

    damage: Damage = field(default_factory=Damage)
    locks: int = 0
    second: int = 0
    """Runs that got in beside one that had lost its lock."""
    went_on: int = 0
    """Runs that had already read everything and ended well anyway."""


def lose(account: Account, rounds: int, seed: int) -> Iterator[Lost]:
    """So many rounds: a run that loses its lock, one that does not, a comparison; some days pass."""
    found, random = Lost(), Random(seed)  # noqa: S311 - must be reproducible
    with ExitStack() as stack:
        address = postgres.new_database(stack.enter_context(postgres.serving()))
        stack.callback(os.environ.pop, "IMPACT__DESTINATION", None)
        os.environ |= {"IMPACT__DESTINATION": "postgres", "DESTINATION__POSTGRES__CREDENTIALS": address}
        account.sync()
        for _ in range(rounds):
            account.world.advance(days=random.randint(1, 9))
            change_some(account, random)
            _run(account, found, address, random.randint(1, 8))
            account.sync()
            found.damage.checks += 1
            try:
                assert_true(account)
            except AssertionError as error:
                found.damage.wrong.append(f"a lost lock: {error}")
            yield found


def _run(account: Account, found: Lost, address: str, number: int) -> None:
    """A sync that loses its lock after so many requests."""
    left, lost = number, found.locks

    def count(_: Request) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
                cursor.execute(_END)
            found.locks += 1

    def let_a_second_in(_: object) -> None:
        nonlocal lost
        if lost < found.locks:
            lost = found.locks
            found.second += _elsewhere(account) == Exit.DONE

    account.sandbox.on_request = count
    try:
        found.went_on += sync(account.settings(), on_progress=let_a_second_in).exit is Exit.DONE
    except ImpactError as error:
        if exit_code(error) is not Exit.FAILED:
            found.damage.wrong.append(f"a run that lost its lock ended with {error!r}")
    finally:
        account.sandbox.on_request = None


def _elsewhere(account: Account) -> int:
    """The exit code of a sync on another machine, which has its own folders."""
    env = environment(account, DLT_DATA_DIR=str(account.folder / "elsewhere"))
    command = [str(Path(sys.executable).with_name("impact")), "sync", "--no-items"]
    return subprocess.run(command, env=env, capture_output=True, timeout=300, check=False).returncode

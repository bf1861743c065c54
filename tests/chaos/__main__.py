"""`make chaos`: hundreds of kills and thousands of faults, and one table of their cost."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click
from impact_sandbox import Faults, Rules, Sandbox, World
from impact_sync.console.screen import console, table

from tests.chaos.kills import CODES, Killer, Toll
from tests.chaos.locks import Lost, lose
from tests.chaos.phases import Phase
from tests.chaos.readings import READINGS, Read, read
from tests.chaos.storm import Weathered, weather
from tests.support.account import CAMPAIGNS, Account
from tests.support.commands import environment

CODE_NAMES = tuple(how.name for how in CODES)
T = TypeVar("T")


@click.command()
@click.option("--kills", default=200, show_default=True, help="Runs to kill.")
@click.option("--requests", default=10_000, show_default=True, help="Requests to send through faults.")
@click.option("--readings", default=30, show_default=True, help="Rounds with an API that behaves in undocumented ways.")
@click.option("--locks", default=10, show_default=True, help="Runs on Postgres that lose their lock.")
@click.option("--rate", default=0.2, show_default=True, help="Share of the requests that go wrong.")
@click.option("--seed", default=1, show_default=True, help="The same seed kills and throws alike.")
def main(kills: int, requests: int, readings: int, locks: int, rate: float, seed: int) -> None:  # noqa: PLR0913, PLR0917 - click's
    """Kill runs, break requests, compare with the truth, and print the cost. Exits 1 if anything was lost."""
    logging.basicConfig(level=logging.CRITICAL)
    with _account(seed, days=10, per_day=12) as account:
        env = environment(account, SOURCES__IMPACT__PACKAGE_ROWS="30", SOURCES__IMPACT__REQUESTS_PER_HOUR="1000000")
        toll = _last(Killer(account, env, seed).rounds(kills), lambda t: f"{sum(t.kills.values())} of {kills} killed")
    with _account(seed, days=30, per_day=15) as account:
        faults = Faults(rate, seed, wait=0, slowly=0.05, hang=0.2, closed=0.2)
        found = _last(weather(account, requests, faults), lambda w: f"{w.requests:,} of {requests:,} requests")
    with _account(seed, days=20, per_day=8) as account:
        played = _last(read(account, readings, seed), lambda r: f"{r.played.total()} of {readings} readings played")
    with _account(seed, days=20, per_day=8) as account:
        lost = _last(lose(account, locks, seed), lambda one: f"{one.locks} of {locks} locks lost")
    _print(toll, found)
    _print_readings(played, lost)
    sys.exit(not all(one.damage.none for one in (toll, found, played, lost)))


@contextmanager
def _account(seed: int, days: int, per_day: int) -> Iterator[Account]:
    """A separate account, in its own folder."""
    world = World(seed=seed, days=days, per_day=per_day, campaigns=CAMPAIGNS, rules=Rules(duplicate_skus=0.2))
    with tempfile.TemporaryDirectory() as name, Sandbox(world, requests_per_hour=1_000_000) as sandbox:
        account = Account(world, sandbox, Path(name))
        os.environ["DLT_DATA_DIR"] = f"{name}/dlt"
        os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = str(account.path)
        yield account


def _last(rounds: Iterator[T], said: Callable[[T], str]) -> T:
    """The state after the last round; prints each on the way."""
    state = next(rounds)
    for state in rounds:
        print(said(state), file=sys.stderr)  # noqa: T201 - progress of a long run
    return state


def _print(toll: Toll, found: Weathered) -> None:
    out = console()
    rows = table("Kills", "phase", *CODE_NAMES, numbers=CODE_NAMES)
    for phase in Phase:
        rows.add_row(phase.value, *(str(toll.kills[phase.value, name]) for name in CODE_NAMES))
    rows.add_row("all", *(str(_by_signal(toll)[name]) for name in CODE_NAMES))
    out.print(rows)
    out.print(
        f"{toll.finished} runs ended first; {toll.lost_folders} working folders lost, {toll.restored} copies restored, "
        f"{toll.hangs} hung."
    )
    faults = table("Faults", "kind", "thrown", numbers=("thrown",))
    for kind, number in sorted(found.thrown.items()):
        faults.add_row(kind, f"{number:,}")
    out.print(faults)
    ends = ", ".join(f"{number} with {code}" for code, number in sorted(found.runs.items()))
    out.print(
        f"{found.requests:,} requests, {found.repeated:,} of them went wrong and were sent again. Runs ended: {ends}."
    )
    cost = table("Cost", "", "comparisons", "rows lost", "rows doubled", "else wrong")
    for name, damage in (("kills", toll.damage), ("faults", found.damage)):
        counts = (damage.checks, damage.rows_lost, damage.rows_doubled, len(damage.wrong))
        cost.add_row(name, *map(str, counts))
    out.print(cost)
    for wrong in (*toll.damage.wrong, *found.damage.wrong):
        out.print(wrong, soft_wrap=True)


def _print_readings(played: Read, lost: Lost) -> None:
    out = console()
    rows = table("Readings", "reading", "rounds", numbers=("rounds",))
    for name in READINGS:
        rows.add_row(name, str(played.played[name]))
    out.print(rows)
    ends = ", ".join(f"{number} with {code}" for code, number in sorted(played.runs.items()))
    out.print(f"Runs ended: {ends}.")
    gone_on = f"{lost.second} second runs got in, {lost.went_on} first ones had landed all"
    out.print(f"{lost.locks} locks lost on Postgres: {gone_on}.")
    cost = table("Cost", "", "comparisons", "rows lost", "rows doubled", "else wrong")
    for name, damage in (("readings", played.damage), ("locks", lost.damage)):
        cost.add_row(name, *map(str, (damage.checks, damage.rows_lost, damage.rows_doubled, len(damage.wrong))))
    out.print(cost)
    for wrong in (*played.damage.wrong, *lost.damage.wrong):
        out.print(wrong, soft_wrap=True)


def _by_signal(toll: Toll) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, name), number in toll.kills.items():
        found[name] += number
    return found


if __name__ == "__main__":
    main()

"""`python -m tests.chaos.corrections`: kills applies at every step, through faults, and counts what was sent."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import click
from impact_sandbox import Faults, Rules, Sandbox, World
from impact_sandbox.faults import PASSING, Kind
from impact_sandbox.submissions import Submission
from impact_sync.console.exits import Exit
from impact_sync.console.screen import console, table
from impact_sync.corrections.apply import resolve
from impact_sync.corrections.journal.calls import Call
from impact_sync.corrections.journal.columns import WAITING, Status
from impact_sync.corrections.status import status

from tests.chaos.sender import Doom, Step, send
from tests.support.account import CAMPAIGNS, Account
from tests.support.desk import Desk

_LINES = (
    "{},update,ORDER_UPDATE,,15.00,,,,,,",
    "{},update,ORDER_UPDATE,TEE,,-2.50,,,,,",
    "{},reverse,CONS_FRAUD,,,,,,,,",
    "{},update,ITEM_RETURNED,A/B 1,,,1,,,,",
    "{},update,OTHER,,,,,,EXISTING,,",
)

_MOST = 120
"""Seconds that an apply may take; a longer one hangs."""
_KINDS = tuple(kind for kind in PASSING if not kind.startswith("429") or kind is Kind.LIMIT_RETRY_AFTER)
"""One way to report a reached hourly limit is enough: each waits a second."""


@dataclass
class Count:
    """What was done, and its result."""

    kills: Counter[str] = field(default_factory=Counter)
    """By step."""
    corrections: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    """Corrections by outcome."""
    resolved: int = 0
    """Calls that a person had to settle."""
    restored: int = 0
    """Databases that were restored to an older copy."""
    most_sent: int = 0
    """The most calls that the API received for one correction."""
    wrong: list[str] = field(default_factory=list)


class Chaos:
    """Kills the applies of one account; everything is drawn from a seed."""

    def __init__(self, account: Account, seed: int, rate: float, lines: int = 10) -> None:
        self.count = Count()
        self._desk, self._random, self._lines = Desk(account), Random(seed), lines  # noqa: S311 - must be reproducible
        self._faults = Faults(rate, seed, _KINDS, wait=0, slowly=0.02, hang=0.1, closed=0.05, most_in_a_row=2)
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.chaos.sender"])
        self._plan_id = ""

    def rounds(self, kills: int) -> Iterator[Count]:
        """Until so many applies were killed: a plan, applies that die, one that does not, a person's decision."""
        while sum(self.count.kills.values()) < kills:
            self._begin()
            left = self._random.randint(3, self._lines)
            while left and self._apply(self._random.choice(list(Step))):
                left -= 1
                self._check()
                self._mishap()
            while self._apply(None):
                self._check()
                if not self._planned():
                    break
            self._resolve()
            yield self.count

    def _begin(self) -> None:
        desk = self._desk
        self._quiet()
        actions = [desk.create() for _ in range(self._lines)]
        desk.world.advance(seconds=desk.world.rules.visibility_lag)
        desk.sync()
        lines = [_LINES[number % len(_LINES)].format(action) for number, action in enumerate(actions)]
        self._plan_id = desk.planned(*lines, requests_per_hour=1_000_000)
        self.count.corrections += len(lines)
        shutil.copy(desk.account.path, self._copy)

    def _apply(self, step: Step | None) -> bool:
        """Run an apply that dies at a step, if it gets there; returns whether there may be something left to do."""
        desk, random = self._desk, self._random
        desk.sandbox.faults = Faults(**(vars(self._faults) | {"seed": random.randrange(10**6)}))
        settings = desk.settings(requests_per_hour=1_000_000)
        doom = Doom(step.name, random.randint(1, 6), random.random()) if step else None
        process = self._processes.Process(target=send, args=(dict(os.environ), settings, self._plan_id, doom))
        process.start()
        process.join(_MOST)
        if process.is_alive():
            process.kill()
            process.join()
            self.count.wrong.append(f"an apply to die at {step} did not end")
            self._quiet()
            return False
        self._quiet()
        code = process.exitcode
        if code == -9 and step:
            self.count.kills[step.name] += 1
            return True
        if code not in {Exit.DONE, Exit.DRIFT, Exit.EARLY, Exit.FAILED, Exit.USAGE}:
            self.count.wrong.append(f"an apply to die at {step} ended with {code}")
        return code in {Exit.EARLY, Exit.FAILED}

    def _mishap(self) -> None:
        """Now and then restore the database to the copy from before anything was sent."""
        if self._random.random() > 0.1:
            return
        account = self._desk.account
        shutil.copy(self._copy, account.path)
        account.path.with_name(f"{account.path.name}.wal").unlink(missing_ok=True)
        self.count.restored += 1
        sent = self._sent()
        self._apply(None)
        if self._sent() - sent and sent:
            twice = [action for action in (self._sent() - sent) if sent[action]]
            self.count.wrong += [f"a database that was put back sent {action} again" for action in twice]
        resolve.from_file()
        self._check()

    def _resolve(self) -> None:
        """A person, who knows the truth, settles what waits; then the journal must be true."""
        settings = self._desk.settings(requests_per_hour=1_000_000)
        submissions = self._submissions()
        for waiting in resolve.look(settings, self._plan_id):
            action = waiting.call.action_id
            outcome = submissions[action].outcome if action in submissions else None
            took = outcome is not None and not outcome.errors
            verdict = Status.CONFIRMED if took else Status.REFUSED
            resolve.settle(settings, self._plan_id, [waiting.call.first.line], verdict, "asked the sandbox")
            self.count.resolved += 1
        self._check()
        for call in status(self._plan_id).calls:
            self.count.ended[call.status] += 1
            if call.status in (Status.ACCEPTED, *WAITING):
                self.count.wrong.append(f"{call.id} ended as {call.status}")

    def _check(self) -> None:
        """What the journal says of each correction must be true, and none may be sent twice."""
        sent, submissions = self._sent(), self._submissions()
        for call in status(self._plan_id).calls:
            number, submission = sent[call.action_id], submissions.get(call.action_id)
            self.count.most_sent = max(self.count.most_sent, number)
            if number > 1 or not _is_true(call, number, submission):
                told = f"{number} sent, {submission.outcome if submission else 'no submission'}"
                self.count.wrong.append(f"{call.id} is {call.status} ({call.first.outcome}): {told}")

    def _planned(self) -> bool:
        return any(call.status in (Status.PLANNED, Status.ACCEPTED) for call in status(self._plan_id).calls)

    def _sent(self) -> Counter[str]:
        return Counter(request.form.get("ActionId", "") for request in self._desk.writes)

    def _submissions(self) -> dict[str, Submission]:
        self._desk.world.advance(seconds=60)  # everything that was accepted is processed
        return {str(one.write.action_id): one for one in self._desk.world.submissions}

    def _quiet(self) -> None:
        self._desk.sandbox.faults = Faults()

    @property
    def _copy(self) -> Path:
        return self._desk.account.folder / "before.duckdb"


def _is_true(call: Call, number: int, submission: Submission | None) -> bool:
    outcome: Any = submission.outcome if submission else None
    match call.status:
        case Status.PLANNED | Status.LEFT_OUT:
            return number == 0
        case Status.CONFIRMED:
            return submission is not None and not outcome.errors
        case Status.ACCEPTED:
            return submission is not None and submission.batch_id == call.first.batch_id
        case Status.REFUSED:
            return submission is None or bool(outcome.errors)
        case Status.RETURNED:
            return submission is None
    return call.status == Status.UNKNOWN


@click.command()
@click.option("--kills", default=300, show_default=True, help="Applies to kill.")
@click.option("--rate", default=0.15, show_default=True, help="Share of the requests that go wrong.")
@click.option("--seed", default=1, show_default=True, help="The same seed kills and throws alike.")
def main(kills: int, rate: float, seed: int) -> None:
    """Kill applies, break their requests, and count what the API received. Exits 1 if anything was sent twice."""
    logging.basicConfig(level=logging.CRITICAL)
    world = World(seed=seed, days=3, per_day=0, campaigns=CAMPAIGNS[:1], rules=Rules(visibility_lag=30))
    count = Count()
    with (
        tempfile.TemporaryDirectory() as name,
        Sandbox(world, requests_per_hour=10_000_000) as sandbox,
    ):
        os.environ |= {"DLT_DATA_DIR": f"{name}/dlt", "DESTINATION__DUCKDB__CREDENTIALS": f"{name}/impact.duckdb"}
        for count in Chaos(Account(world, sandbox, Path(name)), seed, rate).rounds(kills):
            print(f"{sum(count.kills.values())} of {kills} killed, {len(count.wrong)} wrong", file=sys.stderr)  # noqa: T201 - progress of a long run
        thrown = sum(sandbox.thrown.values())
    show(count, thrown)
    sys.exit(bool(count.wrong) or count.most_sent > 1)


def show(count: Count, thrown: int) -> None:
    """Print what was done and its result."""
    out = console()
    rows = table("Kills of an apply", "step", "kills", numbers=("kills",))
    for step in Step:
        rows.add_row(step.name.lower().replace("_", " "), str(count.kills[step.name]))
    rows.add_row("all", str(sum(count.kills.values())))
    out.print(rows)
    ended = ", ".join(f"{number:,} {name}" for name, number in count.ended.most_common())
    out.print(
        f"{count.corrections:,} corrections through {thrown:,} faults and {count.restored} databases put back: "
        f"{ended}; {count.resolved} settled by a person. Received for one correction at the most: {count.most_sent}."
    )
    for wrong in count.wrong:
        out.print(wrong, soft_wrap=True)


if __name__ == "__main__":
    main()

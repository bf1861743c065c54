"""The files under `pipelines/schedules` do what they say, run for real as far as this machine can."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import yaml

from tests.support.account import Account

Make = Callable[..., Account]
SCHEDULES = Path(__file__).parents[2] / "pipelines" / "schedules"
IMPACT = Path(sys.executable).with_name("impact")


def environment(world: Account, **own: str) -> dict[str, str]:
    """The environment of a schedule that syncs this account."""
    return os.environ | {
        "IMPACT": str(IMPACT),
        "SOURCES__IMPACT__ACCOUNT_SID": world.sandbox.account_sid,
        "SOURCES__IMPACT__AUTH_TOKEN": world.sandbox.auth_token,
        "SOURCES__IMPACT__BASE_URL": world.sandbox.url,
        "SOURCES__IMPACT__ITEMS_MAX_REQUESTS": "0",
        **own,
    }


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command here."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_cron_lines_are_silent_when_all_is_well(account: Make) -> None:
    """Each line of the crontab runs, says nothing and ends with 0; the log has what was done."""
    world = account(days=5, per_day=3)
    text = (SCHEDULES / "crontab").read_text()
    commands = re.findall(r"^[-\d*/,]+ [-\d*/,]+ [-\d*/,]+ [-\d*/,]+ [-\d*/,]+ (.*)$", text, re.MULTILINE)
    assert len(commands) == 2
    own = environment(world, WAREHOUSE=".", INSTALLED=str(SCHEDULES.parent.parent))
    for command in commands:
        done = run(["sh", "-c", command], own)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    world.assert_true()
    assert '"' in Path("impact.log").read_text()


def test_a_failure_is_one_line_and_the_exit_code(account: Make) -> None:
    """What cron mails says which command failed, with which code, and why."""
    world = account(days=1, per_day=1)
    done = run([str(SCHEDULES / "run"), "sync"], environment(world, SOURCES__IMPACT__AUTH_TOKEN="no-such-token"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("impact sync ended with 2: ")
    assert "no-such-token" not in line


def test_a_run_that_stops_early_is_no_failure_to_a_schedule(account: Make) -> None:
    """If the hourly limit is reached, the schedule says nothing and the next run continues."""
    world = account(days=5, per_day=3, requests_per_hour=5)
    own = environment(world, SOURCES__IMPACT__REQUESTS_PER_HOUR="5", SOURCES__IMPACT__MAX_WAIT="0 seconds")
    assert run([str(IMPACT), "sync"], own).returncode == 3
    done = run([str(SCHEDULES / "run"), "sync"], own)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_that_keeps_the_file_open_is_heard_of(account: Make) -> None:
    """While somebody holds the file a schedule is silent at first; once it is out of date, it says who holds it."""
    world = account(days=2, per_day=2)
    world.first_sync()
    own = environment(world, IMPACT__WAREHOUSE_WAIT="0 seconds")
    with duckdb.connect(str(world.path)):
        first = run([str(SCHEDULES / "run"), "sync"], own)
        assert (first.returncode, first.stderr) == (0, "")
        os.utime("impact.log.reached", (0, 0))
        late = run([str(SCHEDULES / "run"), "sync"], own)
        assert (late.returncode, f"process {os.getpid()}" in late.stderr) == (5, True)
    with duckdb.connect(str(world.path), read_only=True):
        stale = run([str(SCHEDULES / "run"), "sync"], own)
        assert (stale.returncode, "out of date" in stale.stderr) == (1, True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_timer_and_the_service(tmp_path: Path) -> None:
    """`systemd-analyze verify` finds nothing wrong with the units, except the path of this machine's command."""
    for name in ("impact-sync.service", "impact-sync.timer"):
        unit = (SCHEDULES / name).read_text()
        unit = unit.replace("/opt/impact-sync/.venv/bin/impact", str(IMPACT)).replace("User=impact\n", "")
        (tmp_path / name).write_text(unit)
    units = [str(tmp_path / "impact-sync.timer"), str(tmp_path / "impact-sync.service")]
    done = run(["systemd-analyze", "verify", *units], dict(os.environ))
    assert [line for line in done.stderr.splitlines() if "impact-sync" in line] == []
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not IMPACT.with_name("hadolint").exists(), reason="hadolint is not shipped for this machine")
def test_the_container_file_is_as_the_linter_wants_it() -> None:
    """Hadolint does not complain about the container file, and what it copies exists."""
    done = run([str(IMPACT.with_name("hadolint")), str(SCHEDULES / "Containerfile")], dict(os.environ))
    assert (done.returncode, done.stdout) == (0, "")
    root = SCHEDULES.parent.parent
    copied = re.findall(r"^COPY (.*) \S+$", (SCHEDULES / "Containerfile").read_text(), re.MULTILINE)
    assert all((root / name).exists() for line in copied for name in line.split())


@pytest.mark.long
def test_the_workflow_s_shell_runs(account: Make) -> None:
    """The sync step of the GitHub Actions workflow, run by the shell, fills the warehouse; 3 is not a failure there."""
    world = account(days=5, per_day=3)
    workflow = yaml.safe_load((SCHEDULES / "github-actions.yml").read_text())
    assert set(workflow["jobs"]["sync"]["env"]) >= {"SOURCES__IMPACT__ACCOUNT_SID", "SOURCES__IMPACT__AUTH_TOKEN"}
    (script,) = [step["run"] for step in workflow["jobs"]["sync"]["steps"] if step.get("name") == "Sync"]
    Path(".venv/bin").mkdir(parents=True)
    Path(".venv/bin/impact").symlink_to(IMPACT)
    done = run(["bash", "-eo", "pipefail", "-c", script], environment(world, READ_SINCE=""))
    assert done.returncode == 0, done.stderr
    world.assert_true()
    assert run(["bash", "-eo", "pipefail", "-c", script], environment(world, READ_SINCE="2026-01-12")).returncode == 0
    spent = environment(world, READ_SINCE="", SOURCES__IMPACT__AUTH_TOKEN="wrong")
    assert run(["bash", "-eo", "pipefail", "-c", script], spent).returncode == 2


@pytest.mark.long
def test_losing_the_working_folder_between_runs_does_not_matter(account: Make) -> None:
    """A runner that keeps only the warehouse continues from where the last run got to."""
    world = account(days=10, per_day=4)
    for day in range(3):
        world.world.advance(days=day)
        own = environment(world, DLT_DATA_DIR=str(Path.cwd() / f"runner-{day}"))
        assert run([str(IMPACT), "sync"], own).returncode == 0
        shutil.rmtree(f"runner-{day}")
        world.assert_true()
    assert world.query("select count(*) from impact.sync_runs where rows > 0")[0][0] == 3


def test_the_arithmetic_of_a_larger_machine_can_be_run_again() -> None:
    """Twice as many accounts take twice the processor time; those that share a process save all its imports but one."""
    script = str(SCHEDULES / "capacity.py")
    hours = []
    for options in (["1000"], ["2000"], ["1000", "--accounts-a-process", "10"]):
        done = run([sys.executable, script, "--accounts", *options, "--import-seconds", "1"], dict(os.environ))
        hours.append(float(re.findall(r"([\d,.]+) core hours", done.stdout)[0]))
    assert hours[1] == pytest.approx(2 * hours[0], rel=0.01)
    assert hours[0] - hours[2] == pytest.approx(1000 * 24 * 0.9 / 3600, abs=0.2)

"""What the command says while it works and when it fails."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from impact_source.items.run import ItemProgress
from impact_sync.console.exits import root_cause
from impact_sync.console.screen import progress
from impact_sync.load.words import in_words

from tests.support.account import Account
from tests.support.commands import HERE, clean, environment, impact, victim

Make = Callable[..., Account]


def broken(code: str, verb: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that runs some code before."""
    env = env | {"PYTHONPATH": str(HERE)}
    return subprocess.run(victim(code, verb), env=env, capture_output=True, text=True, check=False)


def test_progress_without_a_terminal_is_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """However many steps exceed the expected number, lines come seconds apart, and the last one comes."""
    with progress(in_words) as show:
        for done in range(1, 232):  # as after a kill: kept answers cost no request, so more is done than allowed
            show(ItemProgress(done, max(10, done), 500, 100.0, 90))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 3
    assert "action 1 of" in lines[0]
    assert "action 231 of 231" in lines[-1]


def test_check_without_a_server_claims_nothing(account: Make) -> None:
    """If no answer came, neither the remaining requests nor the server's clock are reported as known."""
    nobody = {"SOURCES__IMPACT__BASE_URL": "http://127.0.0.1:9", "SOURCES__IMPACT__MAX_ATTEMPTS": "1"}
    env = environment(account(days=1, per_day=0), **nobody)
    output = clean(impact("check", env=env), 4)
    assert re.search(r"requests left\W+unknown\W+the API gave no answer", output)
    assert re.search(r"clock\W+unknown\W+the API gave no answer", output)
    assert "ok" not in output.split()


def test_check_with_refused_credentials_does_not_vouch_for_the_clock(account: Make) -> None:
    """A refusal tells no time that a sync would trust."""
    env = environment(account(days=1, per_day=0), SOURCES__IMPACT__AUTH_TOKEN="wrong")
    output = clean(impact("check", env=env), 2)
    assert re.search(r"clock\W+unknown\W+no request succeeded", output)


def test_what_breaks_amid_a_package_is_named(account: Make) -> None:
    """An error in the middle of dlt's extract step is named, not the end of a generator that was handled meanwhile."""
    code = """
from impact_source.actions.landing import Lander
def land(*_):
    raise ZeroDivisionError("rows by nothing")
Lander.land = land
"""
    output = clean(broken(code, "sync", environment(account(days=5, per_day=2))), 4)
    assert "impact: failed: ZeroDivisionError: rows by nothing" in output


def test_the_cause_is_what_was_raised_not_what_was_handled() -> None:
    """An error that is raised while another one is handled is the cause; one that it is raised from is its cause."""
    wrapper, cause = RuntimeError("dlt's"), KeyError("ours")
    wrapper.__cause__, cause.__context__ = cause, StopIteration()
    assert root_cause(wrapper) is cause


def test_sync_names_its_warehouse_and_the_requests_that_are_left(account: Make) -> None:
    """A sync says where it wrote to; what is spared for others counts among the remaining requests."""
    one = account(days=5, per_day=4)
    output = clean(impact("sync", "--items", env=environment(one, SOURCES__IMPACT__ITEMS_MAX_REQUESTS="5")), 0)
    assert f"Warehouse: {one.path}" in output
    (left,) = re.findall(r"items: action 5 of 5.* ([\d,]+) requests left", output)
    assert int(left.replace(",", "")) > 900

"""A command that gets a signal ends, whatever it is doing; one that hangs ends too, and says what it waited for."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from impact_sandbox import Request

from tests.support.account import Account
from tests.support.commands import HERE, clean, environment, impact, victim

Make = Callable[..., Account]
SIGNALS = [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long)]
STUCK = "stuck now"
"""What a victim prints where it hangs."""
SWALLOWED = f"""
import dlt, sys, time

class Stubborn:
    '''An import that never ends, and lets no interrupt through.'''
    def find_spec(self, name, path=None, target=None):
        if name == "never_there":
            print("{STUCK}", flush=True)
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass

sys.meta_path.insert(0, Stubborn())
def load(*_, **__):
    import never_there
dlt.Pipeline.{{step}} = load
"""
"""An import in the middle of a package, like one whose callback swallowed a SIGINT and kept the import lock."""


@contextmanager
def running(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is killed if a test fails before it has ended."""
    env = env | {"PYTHONPATH": str(HERE)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], code: int) -> str:
    """The output of a process that ended with this code and without a traceback."""
    said = "".join(process.communicate(timeout=300))
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    return said


@pytest.mark.parametrize(("how", "code"), SIGNALS)
def test_a_run_that_waits_for_an_answer_ends_at_once(account: Make, how: signal.Signals, code: int) -> None:
    """A run that must end while an answer hangs does not wait for it; its row says that it was interrupted."""
    one = account(days=20, per_day=3)
    clean(impact("sync", env=environment(one)), 0)
    asked, over = threading.Event(), threading.Event()

    def hang(request: Request) -> None:
        if "StartDate" in request.query:
            asked.set()
            over.wait(300)

    one.sandbox.on_request = hang
    with running(victim("", "sync"), environment(one)) as process:
        assert asked.wait(300)
        process.send_signal(how)
        said = ended(process, code)
        still_hangs = not over.is_set()
        over.set()
    assert still_hangs
    assert "interrupted; what had landed stays" in said
    assert "trying again" not in said
    runs = one.query("select outcome, exit_code from impact.sync_runs order by exit_code")
    assert runs == [("done", 0), ("interrupted", code)]
    one.sandbox.on_request = None
    clean(impact("sync", env=environment(one)), 0)
    one.assert_true()


@pytest.mark.long
def test_ctrl_c_amid_items_says_one_line(account: Make) -> None:
    """Requests that an interrupt breaks off are not reported as being retried."""
    one = account(days=10, per_day=5)
    one.first_sync()
    asked, over = threading.Event(), threading.Event()

    def hang(request: Request) -> None:
        if request.path.endswith("/Items"):
            asked.set()
            over.wait(300)

    one.sandbox.on_request = hang
    with running(victim("", "items"), environment(one)) as process:
        assert asked.wait(300)
        process.send_signal(signal.SIGINT)
        said = ended(process, 130)
        over.set()
    assert said.splitlines() == ["impact: interrupted; what had landed stays, run again to continue"]
    assert one.query("select outcome from impact.sync_runs where exit_code = 130") == [("items: interrupted",)]


@pytest.mark.parametrize("step", ["load", pytest.param("extract", marks=pytest.mark.long)])
@pytest.mark.parametrize(("how", "code"), SIGNALS)
def test_an_interrupt_that_is_swallowed_ends_the_run_all_the_same(
    account: Make, step: str, how: signal.Signals, code: int
) -> None:
    """If an import hangs and swallows what is raised in it, the process is stopped when its time is up."""
    one = account(days=5, per_day=3)
    command = victim(SWALLOWED.format(step=step), "sync")
    with running(command, environment(one, IMPACT__SHUTDOWN_WAIT="1 second")) as process:
        assert process.stdout
        while STUCK not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(how)
        assert "was stopped" in ended(process, code).splitlines()[-1]
    clean(impact("sync", env=environment(one)), 0)
    one.assert_true()


@pytest.mark.long
def test_a_second_signal_ends_sooner(account: Make) -> None:
    """Whoever signals twice does not wait for all of the time that a run has to end normally."""
    one = account(days=5, per_day=3)
    command = victim(SWALLOWED.format(step="load"), "sync")
    with running(command, environment(one, IMPACT__SHUTDOWN_WAIT="1 hour")) as process:
        assert process.stdout
        while STUCK not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        assert "was stopped" in ended(process, 143)


def test_an_interrupt_that_python_ignores_is_not_lost(account: Make) -> None:
    """What is raised where Python ignores it is raised once more, and ends the run."""
    code = f"""
import impact_sync.check, time, weakref
class Late:
    pass
def late(_):
    print("{STUCK}", flush=True)
    time.sleep(3)
def run():
    one = Late()
    kept = weakref.ref(one, late)
    del one
    while True:
        time.sleep(0.05)
impact_sync.check.run = run
"""
    with running(victim(code, "check"), environment(account(days=1, per_day=0))) as process:
        assert process.stdout
        while STUCK not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert "interrupted; what had landed" in ended(process, 130)


def test_a_thread_that_never_comes_back_ends_the_run(account: Make) -> None:
    """A page that does not come although every request has a limit: exit 4, and a line that says what was awaited."""
    one = account(days=20, per_day=3)
    code = """
import threading
from impact_source.api import client
client.Client.longest = 1.0
client.Client.first_rows = lambda *_, **__: threading.Event().wait()
import impact_sync.console.ending, impact_source.waiting
impact_sync.console.ending._LINGERING = impact_source.waiting._END = 0.5
"""
    with running(victim(code, "sync"), environment(one)) as process:
        said = ended(process, 4)
    assert "for a page of actions, which must have come or failed by then" in said
    clean(impact("sync", env=environment(one)), 0)
    one.assert_true()


@pytest.mark.long
def test_a_load_that_never_ends_is_stopped(account: Make) -> None:
    """A warehouse that no longer answers ends the run with exit 4 and a line that says so."""
    one = account(days=5, per_day=3)
    code = """
import threading
from datetime import timedelta
import impact_sync.warehouse.open, impact_sync.warehouse.duckdb.merge
impact_sync.warehouse.open._LOAD = timedelta(seconds=1)
impact_sync.warehouse.duckdb.merge._transaction = lambda *_: threading.Event().wait()
impact_sync.warehouse.duckdb.merge.MergeJob._merge = lambda *_: threading.Event().wait()
"""
    with running(victim(code, "sync"), environment(one)) as process:
        assert re.search("no part of a load package was loaded for an hour", ended(process, 4))
    clean(impact("sync", env=environment(one)), 0)
    one.assert_true()


def test_a_load_imports_nothing_in_its_middle(account: Make) -> None:
    """What a run needs is imported before its first package, so that no signal meets a half-done import."""
    one = account(days=5, per_day=3)
    code = """
import atexit, dlt, sys
from impact_sync import cli
from impact_sync.items import command
from impact_sync.sync import command
began, extract, load = set(), dlt.Pipeline.extract, dlt.Pipeline.load
def first(*args, **options):
    began.update(began or sys.modules)
    return extract(*args, **options)
def last(*args, **options):
    result = load(*args, **options)
    print("imported", sorted(set(sys.modules) - began))
    return result
dlt.Pipeline.extract, dlt.Pipeline.load = first, last
"""
    for command in ("sync", "items"):
        with running(victim(code, command), environment(one, SOURCES__IMPACT__ITEMS_MAX_REQUESTS="3")) as process:
            said = ended(process, 0)
        assert set(re.findall("imported .*", said)) == {"imported []"}


def test_the_time_to_end_by_itself_can_be_set(account: Make) -> None:
    """A duration that cannot be read is named."""
    said = clean(impact("sync", env=environment(account(days=1, per_day=0), IMPACT__SHUTDOWN_WAIT="a bit")), 2)
    assert "impact.shutdown_wait must be a duration" in said

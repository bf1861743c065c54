"""Hostile data and a hostile environment: what partners and customers write lands as data and breaks nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote

import pytest
from impact_sandbox import Campaign, Reply, Request, Rules
from impact_sync.console.exits import Exit

from tests.support.account import CAMPAIGNS, Account
from tests.support.commands import IMPACT, clean, environment, impact

Make = Callable[..., Account]
HOSTILE = {
    "formula": '=HYPERLINK("https://evil.example","click")',
    "quotes": "'; drop table impact.actions; -- \" ` \\ %s %(x)s {x} $1 ?",
    "markup": "<script>alert(1)</script>[bold red]x[/] {{7*7}}",
    "controls": "".join(map(chr, [*range(32), 127, 0x85, 0x2028, 0x202E, 0xFEFF])),
    "planes": "👩‍👩‍👧 ﷽ e\u0301 \U0010ffff",
    "numbers": "1e309",
    "null": "NULL",
    "spaces": " \t ",
}


@pytest.mark.parametrize("wire", ["strings", pytest.param("typed", marks=pytest.mark.long)])
def test_whatever_is_written_into_an_action_lands_as_it_is(account: Make, wire: Literal["strings", "typed"]) -> None:
    """Formulas, quotes, markup, control characters: in names, notes, ids and Skus they are text like any other."""
    one = account(days=3, per_day=1, campaigns=CAMPAIGNS[:1], rules=Rules(wire=wire))
    for name, text in HOSTILE.items():
        id_ = f"1000.{name if name == 'controls' else text}"  # no server accepts a line end within a path
        action = one.world.create(Note=text, MediaPartnerName=text, Oid=text, Id=id_, CustomerCity=name)
        one.world.set_item(action, text, ItemName=text, SaleAmount="1.00")
    one.first_sync(items_max_requests=None)
    one.drain()
    one.assert_true()
    one.assert_items_true()
    assert sum(tally.new + tally.changed for tally in one.sync().tallies.values()) == 0
    for arguments in (["status"], ["verify"], ["show", f"1000.{HOSTILE['quotes']}"]):
        clean(impact(*arguments, env=environment(one)), 0)


@pytest.mark.parametrize("options", [["-vv"], pytest.param(["--log-format", "json"], marks=pytest.mark.long)])
def test_names_and_errors_move_no_cursor(account: Make, options: list[str]) -> None:
    """Escapes in the name of a campaign, in an action, and in an error are shown, on screen, in logs and in tables."""
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    one = account(days=2, per_day=2, campaigns=(Campaign(id="1000", name=f"Acme {evil}"),))
    action = one.world.create(Note=evil, MediaPartnerName=evil)
    refusal = json.dumps({"Message": f"{evil} {one.sandbox.auth_token}"}).encode()
    env = environment(one, SOURCES__IMPACT__ITEMS_MAX_REQUESTS="50")
    one.sandbox.on_request = lambda request: Reply(400, refusal) if request.path.endswith("/Items") else None
    done = [impact(*options, *verb, env=env) for verb in (["sync"], ["status"], ["show", action], ["verify"])]
    one.sandbox.on_request = lambda _: Reply(403, refusal)
    done.append(impact(*options, "sync", env=env))
    for result in done:
        assert "Traceback" not in result.stderr
        assert not set("\x1b\x07\u202e") & set(result.stdout + result.stderr)
        assert one.sandbox.auth_token not in result.stdout + result.stderr
    assert "\\x1b[2J" in done[0].stdout
    outcomes = str(one.query("select outcome from impact.sync_runs"))
    assert one.sandbox.auth_token not in outcomes


UNSAFE = ("..", ".", "a/../b", "..\\x")
SAFE = ("%2e%2e", "%2E", "a/b", "a?b#c", "...", " ", "/", "a//b")


def test_an_id_never_changes_the_path_that_is_asked(account: Make) -> None:
    """Ids that lead elsewhere are not requested by themselves, their items fail, and nothing else does."""
    one = account(days=2, per_day=2, campaigns=CAMPAIGNS[:1])
    for id_ in (*UNSAFE, *SAFE):
        one.world.set_item(one.world.create(Id=id_), "TEE", SaleAmount="1.00")
    one.first_sync()
    one.assert_true()
    one.sandbox.requests.clear()
    summary = one.drain()
    asked = {request.path.split("/", 4)[4] for request in one.sandbox.requests if "/Actions/" in request.path}
    assert asked == {f"{quote(id_, safe='')}/Items" for id_ in one.truth() if id_ not in UNSAFE}
    assert summary.tally.failed == len(UNSAFE)
    assert {row[0] for row in one.query("select distinct action_id from impact.action_items")} >= set(SAFE)


@pytest.mark.parametrize(
    "arguments",
    [
        [".."],
        *(pytest.param(one, marks=pytest.mark.long) for one in (["1", "--sku", ".."], [""], ["a/../../Campaigns"])),
    ],
)
def test_show_asks_for_nothing_else(account: Make, arguments: list[str]) -> None:
    """`impact show` says that an id cannot be requested, and requests nothing instead."""
    one = account(days=1, per_day=1)
    one.world.create(Id="1")
    said = clean(impact("show", *arguments, env=environment(one)), Exit.USAGE)
    assert "would change the path" in said
    assert all(request.path.endswith("/Actions/1") for request in one.sandbox.requests)


@pytest.mark.long
def test_very_long_texts_land(account: Make) -> None:
    """Ten million characters in a field are ten million characters in the column."""
    one = account(days=3, per_day=1, campaigns=CAMPAIGNS[:1])
    action = one.world.create(Note="long " * 2_000_000)
    one.first_sync()
    one.assert_true()
    assert one.query(f"select length(note) from impact.actions where id = '{action}'") == [(10_000_000,)]


def test_a_full_disk_stops_the_run_and_a_later_one_completes_it(account: Make) -> None:
    """When nothing more can be written the run ends with 4, says so, and the next one, with room, ends true."""
    one = account(days=40, per_day=60)
    env = environment(one)
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000)); "
        "sys.argv = ['impact', 'sync']; from impact_sync.cli import main; main()"
    )
    full = subprocess.run([sys.executable, "-c", limited], env=env, capture_output=True, text=True, check=False)
    clean(full, Exit.FAILED)
    clean(impact("sync", env=env), 0)
    one.assert_true()


def test_a_warehouse_that_is_in_use_for_a_while_is_waited_for(account: Make) -> None:
    """Another program that has the file open for a moment delays a run but does not end it."""
    one = account(days=5, per_day=2)
    one.first_sync()
    hold = (
        f"import duckdb, sys; held = duckdb.connect({str(one.path)!r}); print('held', flush=True); "
        "sys.stdin.readline(); held.close()"
    )
    one.world.advance(days=1)
    env = environment(one, IMPACT__WAREHOUSE_WAIT="60 seconds")
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdin
        holder.stdout.readline()
        with subprocess.Popen([IMPACT, "-v", "sync"], env=env, stderr=subprocess.PIPE, text=True) as run:
            assert run.stderr
            waits = next(line for line in run.stderr if "in use elsewhere" in line)
            assert waits
            holder.stdin.write("go\n")
            holder.stdin.close()
            run.stderr.read()
    assert run.returncode == 0
    one.assert_true()


def test_a_run_beside_another_is_refused_and_a_dead_ones_lock_is_not_in_the_way(account: Make) -> None:
    """Two runs never write one warehouse at a time; the lock of a killed run blocks nobody."""
    one = account(days=20, per_day=5)
    env = environment(one, IMPACT__WAREHOUSE_WAIT="0 seconds")
    started, go = threading.Event(), threading.Event()

    def hold(_: Request) -> None:
        started.set()
        go.wait(60)

    one.sandbox.on_request = hold
    with subprocess.Popen([IMPACT, "sync"], env=env, stderr=subprocess.DEVNULL) as first:
        assert started.wait(60)
        assert "another run holds the warehouse" in clean(impact("sync", env=env), Exit.BUSY)
        first.kill()
        first.wait()
    go.set()
    one.sandbox.on_request = None
    clean(impact("sync", env=env), 0)
    one.assert_true()

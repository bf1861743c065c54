"""The `impact` command as a user runs it: in its own process, with its exit codes and messages."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from impact_sandbox import Campaign, Reply, Request, Rules, World

from tests.support.account import Account
from tests.support.commands import IMPACT, clean, environment, impact

Make = Callable[..., Account]
KILLS = [
    (signal.SIGKILL, -9),
    pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long),
    pytest.param(signal.SIGINT, 130, marks=pytest.mark.long),
]


def test_check_says_that_all_is_well(account: Make) -> None:
    """With good credentials, check names the campaigns, the requests left and the next step."""
    output = clean(impact("check", env=environment(account())), 0)
    assert "1000 Acme Campaign" in output
    assert "items" in output
    assert re.search(r"requests left.* 99\d ", output)
    assert re.search(r"change feed\W+ok\W+can be read: campaign 1000 has \d+ changes of the past day", output)
    assert "run `impact sync`" in output


def test_check_says_that_a_sync_can_do_without_the_change_feed(account: Make) -> None:
    """A token that may not read the feed is no failure, and where items come from lists only, nothing is asked."""
    one = account(scopes={"Campaigns", "Actions", "Items"})
    output = clean(impact("check", env=environment(one)), 0)
    said = r"change feed\W+no\W+the token may not read ActionUpdates: items are requested action by action"
    assert re.search(said, output)
    assert "run `impact sync`" in output
    one.sandbox.requests.clear()
    output = clean(impact("check", env=environment(one, SOURCES__IMPACT__ITEMS="exact")), 0)
    assert "change feed" not in output
    assert not any("ActionUpdates" in request.path for request in one.sandbox.requests)


@pytest.mark.parametrize(
    ("scopes", "lacks"),
    [
        ({"Campaigns", "Actions"}, "items"),
        pytest.param({"Campaigns"}, "actions", marks=pytest.mark.long),
        pytest.param(set(), "campaigns", marks=pytest.mark.long),
    ],
)
def test_check_names_the_scope_that_is_missing(account: Make, scopes: set[str], lacks: str) -> None:
    """A token that may not read something is distinguished from a wrong one."""
    output = clean(impact("check", env=environment(account(scopes=scopes))), 2)
    assert re.search(rf"{lacks}.*failed.*scope", output)


def test_sync_and_status_tell_what_they_did(account: Make) -> None:
    """A sync ends with a summary for each campaign; status then shows cursors and the run, as text and as JSON."""
    one = account()
    output = clean(impact("sync", env=environment(one)), 0)
    assert re.search(r"1000 Acme Campaign\W+\d+\W+\d+", output)
    assert "requests left" in output
    one.assert_true()
    assert "done" in clean(impact("status", env=environment(one)), 0)
    found = json.loads(impact("status", "--json", env=environment(one)).stdout)
    assert {c["id"]: c["actions"] for c in found["campaigns"]} == dict(
        one.query("select campaign_id, count(*) from impact.actions group by 1")
    )
    assert found["campaigns"][0]["cursors"]["updated"] == one.world.now.isoformat()
    assert found["runs"][0]["outcome"] == "done"


def test_a_dry_run_reads_and_writes_nothing(account: Make) -> None:
    """`--dry-run` shows the windows and their least cost for only the list of campaigns, and leaves no file."""
    one = account()
    one.start = None
    output = clean(impact("sync", "--dry-run", env=environment(one)), 0)
    assert "At least 101 requests" in output
    assert len(one.sandbox.requests) == 1 + 2  # more answers give the time, as this clock is not the sandbox's
    assert not one.path.exists()


def test_logs_are_json_on_demand(account: Make) -> None:
    """With `--log-format json` every line on standard error is an object, progress included."""
    result = impact("--log-format", "json", "sync", env=environment(account()))
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert any(line.get("event") == "progress" and line["windows_done"] > 0 for line in lines)
    assert all({"time", "level", "message"} <= line.keys() for line in lines)


@pytest.mark.parametrize(
    ("arguments", "changes", "code", "says"),
    [
        (["sync"], {"SOURCES__IMPACT__AUTH_TOKEN": "wrong"}, 2, "auth_token"),
        pytest.param(["check"], {"SOURCES__IMPACT__AUTH_TOKEN": "wrong"}, 2, "auth_token", marks=pytest.mark.long),
        (["sync"], {"SOURCES__IMPACT__AUTH_TOKEN": ""}, 2, "is not set"),
        (["sync", "--campaign", "77"], {}, 2, "no campaign 77"),
        pytest.param(["sync"], {"SOURCES__IMPACT__CAMPAIGN_IDS": "77"}, 2, "no campaign 77", marks=pytest.mark.long),
        (
            ["sync", "--since", "2026-01-02", "--until", "2026-01-01"],
            {},
            2,
            "--since (2026-01-02) is after --until (2026-01-01): swap them",
        ),
        (["sync", "--since", "soon"], {}, 2, "'soon' is not an ISO 8601 instant"),
        (["sync"], {"SOURCES__IMPACT__BASE_URL": "http://api.example.com"}, 2, "must be https"),
        pytest.param(
            ["sync"],
            {"SOURCES__IMPACT__BASE_URL": "https://api.example.com:abc"},
            2,
            "base_url cannot be read",
            marks=pytest.mark.long,
        ),
        (["sync"], {"SOURCES__IMPACT__OVERLAP": "PT-5M"}, 2, "sources.impact.overlap must"),
        (["sync"], {"IMPACT__DESTINATION": "nonsense"}, 2, "which dlt does not know"),
        pytest.param(["sync", "--since", "12:00"], {}, 2, "is not an ISO 8601 instant", marks=pytest.mark.long),
        (["sync", "--since", "2031-01-01"], {}, 2, "impact: --since (2031-01-01T00:00:00+00:00) lies after"),
        (["sync"], {"SOURCES__IMPACT__PAGE_SIZE": "7"}, 2, "at least 2000"),
        pytest.param(
            ["sync"],
            {"SOURCES__IMPACT__OVERLAP": "a bit"},
            2,
            "sources.impact.overlap must be a duration",
            marks=pytest.mark.long,
        ),
        pytest.param(
            ["sync"],
            {"SOURCES__IMPACT__START_DATE": "long ago"},
            2,
            "sources.impact.start_date must be",
            marks=pytest.mark.long,
        ),
        (["sync"], {"DESTINATION__DUCKDB__CREDENTIALS": "/nowhere/w.duckdb"}, 2, "/nowhere/w.duckdb"),
        (["status"], {}, 2, "run `impact sync` first"),
        (["snyc"], {}, 2, "No such command"),
    ],
)
def test_what_the_user_can_fix_is_said_in_a_line(
    account: Make, arguments: list[str], changes: dict[str, str], code: int, says: str
) -> None:
    """Bad input of any kind ends with exit code 2, says what is wrong, and leaves no warehouse behind."""
    one = account(days=1, per_day=0)
    assert says in " ".join(clean(impact(*arguments, env=environment(one, **changes)), code).split())
    assert not one.path.exists()


def test_unreadable_configuration_is_said_in_a_line(account: Make) -> None:
    """A config file that is not TOML is named, without a traceback."""
    one = account(days=1, per_day=0)
    (one.folder / ".dlt").mkdir()
    (one.folder / ".dlt" / "config.toml").write_text("[sources.impact\nbase_url = ")
    assert "configuration" in clean(impact("sync", env=environment(one)), 2)


def test_since_over_three_years_back_reads_what_there_is_and_says_so(account: Make) -> None:
    """The API's horizon is reported, not hidden."""
    output = clean(impact("sync", "--since", "2015-01-01", env=environment(account())), 0)
    assert "goes back three years" in output


def kill_amid_items(one: Account) -> None:
    """Kill `impact items` once it has sent some requests."""
    with subprocess.Popen([IMPACT, "items"], env=environment(one), stderr=subprocess.DEVNULL) as run:

        def kill(request: Request) -> None:
            if request.path.endswith("/Items") and len(one.sandbox.requests) % 20 == 0:
                run.kill()

        one.sandbox.on_request = kill
    one.sandbox.on_request = None


def test_no_secret_is_left_anywhere(account: Make) -> None:
    """After runs that succeed and fail, no file, log or table holds the AuthToken, and only `uri` the AccountSID."""
    one = account(days=20, per_day=5)
    said = clean(impact("-vv", "sync", env=environment(one)), 0)
    kill_amid_items(one)
    said += clean(impact("-vv", "sync", env=environment(one, DESTINATION__DUCKDB__CREDENTIALS="/nowhere/x.duckdb")), 2)
    one.sandbox.on_request = lambda _: Reply(404, json.dumps({"Message": f"no {one.sandbox.account_sid}"}).encode())
    said += clean(impact("-vv", "sync", env=environment(one)), 4)
    one.query("copy (select * exclude (uri) from impact.actions) to 'actions.csv'")
    files = [path for path in one.folder.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files if path != one.path) + said.encode()
    assert files
    assert one.sandbox.auth_token.encode() not in kept + one.path.read_bytes()
    assert one.sandbox.account_sid.encode() not in kept


def test_names_are_shown_as_they_are(account: Make) -> None:
    """Brackets in a campaign's name are neither markup nor an error."""
    one = account(days=10, per_day=5, campaigns=(Campaign(id="1000", name="[us] Shop [/eu]", state="ACTIVE", share=1),))
    for arguments in (["check"], ["sync", "--dry-run"], ["sync"], ["status"]):
        assert "[us] Shop [/eu]" in clean(impact(*arguments, env=environment(one)), 0)


def test_a_failed_run_leaves_its_row_and_moves_no_cursor(account: Make) -> None:
    """When credentials expire, status shows the failed run and the cursors of the good one before."""
    one = account()
    one.first_sync()
    before = json.loads(impact("status", "--json", env=environment(one)).stdout)
    one.world.advance(days=7)
    clean(impact("sync", env=environment(one, SOURCES__IMPACT__AUTH_TOKEN="expired")), 2)
    after = json.loads(impact("status", "--json", env=environment(one)).stdout)
    assert after["campaigns"] == before["campaigns"]
    assert sorted((run["outcome"], run["exit_code"]) for run in after["runs"]) == [("CredentialsError", 2), ("done", 0)]
    one.sync()
    one.assert_true()


@pytest.mark.parametrize(("how", "code"), KILLS)
def test_a_backfill_that_is_killed_goes_on_where_it_was(account: Make, how: signal.Signals, code: int) -> None:
    """Killed during a backfill and started again, it does not start over, and ends true."""
    one = account(days=60, per_day=100)
    one.start = None
    env = environment(one, SOURCES__IMPACT__PACKAGE_ROWS="1000")
    state: dict[str, subprocess.Popen[bytes]] = {}
    started = threading.Event()

    def kill(_: Request) -> None:
        """Strike once a package has landed and reading continues."""
        started.wait()
        if len(one.sandbox.requests) == 45:
            state["run"].send_signal(how)

    one.sandbox.on_request = kill
    with subprocess.Popen([IMPACT, "sync"], env=env, stdout=subprocess.DEVNULL) as run:
        state["run"] = run
        started.set()
        assert run.wait() == code
    one.sandbox.on_request = None
    landed = one.query("select count(*) from impact.actions")[0][0]
    assert landed > 0
    one.sandbox.requests.clear()
    clean(impact("sync", env=env), 0)
    read = [r for r in one.sandbox.requests if r.path.endswith("/Actions") and "StartDate" in r.query]
    backfill = [r for r in read if r.query["CampaignId"] == "1000"]
    assert 0 < len(backfill) < 10, "of its 25 windows most had landed"
    one.assert_true()


def test_help_is_instant_and_teaches() -> None:
    """Every command explains itself, and help imports none of what commands need."""
    assert "Exit codes" in impact("--help").stdout
    for verb in ("check", "sync", "verify", "status", "sandbox", "demo"):
        assert len(impact(verb, "--help").stdout.splitlines()) > 5
    heavy = ("dlt", "duckdb", "pyarrow", "httpx", "rich")
    code = f"import sys, impact_sync.cli; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.long
def test_the_commands_that_the_sandbox_prints_work_as_they_stand(tmp_path: Path) -> None:
    """`impact sandbox` prints a shell script: sync from it, move its clock, sync again despite the hourly limit."""
    switches = ["--days", "10", "--per-day", "5", "--closed", "2000", "--odd-items", "1"]
    switches += ["--time-zone", "(GMT +05:45) Kathmandu"]
    with subprocess.Popen(
        [IMPACT, "sandbox", "--port", "0", *switches],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as server:
        assert server.stdout
        commands: list[str] = []
        while not commands or not commands[-1].startswith("curl"):
            if (line := server.stdout.readline()).startswith("  "):
                commands.append(line.strip())
        script = "\n".join(["set -e", *commands, "impact sync --no-items"])
        path = f"{Path(IMPACT).parent}:{os.environ['PATH']}"
        own = {name: value for name, value in os.environ.items() if not name.startswith(("SOURCES", "DESTINATION"))}
        run = subprocess.run(
            ["/bin/sh", "-c", script],
            env=own | {"PATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=30)
        assert server.returncode == 130
    assert said.splitlines()[-1].startswith("impact: the sandbox has ended; the same options create its account again")
    output = clean(run, 0)
    assert output.count("Synced up to") == 2
    with duckdb.connect(str(tmp_path / "impact-sandbox.duckdb"), read_only=True) as connection:
        assert connection.execute("select state from impact.campaigns order by id").fetchall() == [
            ("ACTIVE",),
            ("CLOSED",),
        ]
        assert connection.execute("select timezone from impact.company").fetchall() == [("(GMT +05:45) Kathmandu",)]
        odd = "select count(*) from impact.item_reconciliation where amount_difference <> 0"
        assert connection.execute(odd).fetchone() != (0,)


def test_the_sandbox_writes_the_orders_of_its_shop(tmp_path: Path) -> None:
    """`--orders` writes three files that agree with the account being served, and says so before it serves."""
    switches = ["--days", "60", "--per-day", "10", "--orders", "shop", "--planted", "16"]
    with subprocess.Popen(
        [IMPACT, "sandbox", "--port", "0", *switches],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as server:
        assert server.stdout
        said = [server.stdout.readline()]
        while not said[-1].startswith("Serving"):
            said.append(server.stdout.readline())
        server.send_signal(signal.SIGINT)
        assert server.wait() in {0, 130}
    world = World(days=60, per_day=10, rules=Rules(shared_oids=0.001))
    books = world.shop(16)
    for name in ("orders", "order_items", "planted"):
        assert (tmp_path / "shop" / f"{name}.csv").read_bytes() == books.csv(name)
    assert f"Wrote the shop's {books.orders.num_rows} orders to shop/orders.csv" in "".join(said)


@pytest.mark.parametrize(
    ("folder", "planted", "why"),
    [("shop", "9000", "plant fewer or make the account larger"), ("taken", "8", "choose another folder with --orders")],
)
def test_orders_that_cannot_be_written_end_the_sandbox(folder: str, planted: str, why: str, tmp_path: Path) -> None:
    """More differences than the account can hold, or a folder that is no folder, end with 2 and what to do."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "orders.csv").mkdir()
    switches = ["--days", "20", "--per-day", "10", "--orders", str(tmp_path / folder), "--planted", planted]
    assert why in clean(impact("sandbox", "--port", "0", *switches), 2)

"""One command for the folders of several accounts: each has its turn, and nothing of one is another's."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from impact_sandbox import Request, Sandbox, World
from impact_sync.configuration import set_defaults

from tests.support.account import CAMPAIGNS, Account
from tests.support.commands import clean, environment, impact, victim

Make = Callable[..., Account]
SETTINGS = """
[sources.impact]
base_url = "{url}"
page_size = 2000
items_max_requests = 0
start_date = "{start}"
retry_wait = "0 seconds"
"""
SECRETS = """
[sources.impact]
account_sid = "{sid}"
auth_token = "{token}"
"""


@pytest.fixture(autouse=True)
def _own_warehouses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No warehouse of the environment: each folder has its own."""
    monkeypatch.delenv("DESTINATION__DUCKDB__CREDENTIALS")
    monkeypatch.delenv("SOURCES__IMPACT__RETRY_WAIT")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Make]:
    """Makes accounts in folders of their own: `client("acme", config="history = false")`."""
    with ExitStack() as stack:

        def make(name: str, *, token: str = "", config: str = "", secrets: str = "") -> Account:
            world = World(seed=len(name), days=12, per_day=4, campaigns=CAMPAIGNS, account_sid=f"IR{name:x>14}")
            sandbox = stack.enter_context(Sandbox(world, auth_token=f"token-of-{name}"))
            one = Account(world, sandbox, tmp_path / "clients" / name)
            own = one.folder / ".dlt"
            own.mkdir(parents=True)
            start = world.now.date().replace(day=1)
            (own / "config.toml").write_text(SETTINGS.format(url=sandbox.url, start=start) + config)
            own_secrets = SECRETS.format(sid=world.account_sid, token=token or sandbox.auth_token)
            (own / "secrets.toml").write_text(own_secrets + secrets)
            return one

        yield make


def campaigns(one: Account) -> set[str]:
    """The campaigns of which the warehouse has actions."""
    return {row[0] for row in one.query("select distinct campaign_id from impact.actions")}


def test_an_account_that_fails_does_not_keep_the_others_from_landing(client: Make) -> None:
    """With a wrong token in the middle, the others land, the last line names it, and no secret is shown."""
    acme, bad, zoo = client("acme"), client("bad", token="wrong-token-of-bad"), client("zoo")
    result = impact("-vv", "-C", "clients/*", "sync", env=environment())
    said = clean(result, 2)
    summaries = re.split(r"^clients/(\w+)$", result.stdout, flags=re.MULTILINE)
    assert summaries[1::2] == ["acme", "bad", "zoo"]
    for one, summary in zip((acme, bad, zoo), summaries[2::2], strict=True):
        assert ("1000 Acme Campaign" in summary) == (str(one.path) in summary) == (one is not bad)
    last = "impact: 2 of 3 accounts are done; clients/bad ended with 2"
    assert result.stderr.splitlines()[-1] == last
    assert re.search(r"^impact: clients/bad: .*auth_token", result.stderr, re.MULTILINE)
    assert not bad.path.exists()
    for one in (acme, zoo):
        one.assert_true()
        assert one.sandbox.requests
    for one in (acme, bad, zoo):
        others = [path for other in (acme, bad, zoo) if other is not one for path in other.folder.rglob("*.duckdb")]
        shown = said.encode() + b"".join(path.read_bytes() for path in others)
        for secret in (one.world.account_sid, one.sandbox.auth_token, "wrong-token-of-bad"):
            assert secret.encode() not in shown


def test_settings_of_one_account_are_no_others(client: Make) -> None:
    """A campaign that is chosen and a warehouse that is named in one folder do not count in the next."""
    named = '[destination.duckdb]\ncredentials = "own.duckdb"\n'
    narrow, usual = client("narrow", config='campaign_ids = ["1000"]\n', secrets=named), client("usual")
    narrow.path = narrow.folder / "own.duckdb"
    said = clean(impact("--folder", "clients/narrow", "-C", "clients/usual", "sync", env=environment()), 0)
    assert "All 2 accounts are done." in said
    assert campaigns(narrow) == {"1000"}
    assert campaigns(usual) == {"1000", "2000"}
    assert sorted(path.name for path in usual.folder.glob("*.duckdb")) == ["impact_warehouse.duckdb"]


def test_a_file_that_cannot_be_read_is_one_accounts_own(client: Make) -> None:
    """After a folder whose configuration is not TOML the next account lands; in JSON a line says whose it is."""
    client("first", config="[")
    second = client("second")
    folders = {"IMPACT_FOLDERS": os.pathsep.join(["clients/first", "clients/second", "clients/s*"])}
    result = impact("--log-format", "json", "sync", env=environment(None, **folders))
    assert "first/.dlt/config.toml cannot be read" in clean(result, 2)
    lines = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    assert {line["account"] for line in lines} == {"clients/second"}
    assert "1 of 2 accounts are done" in result.stderr
    second.assert_true()


def test_a_default_of_ours_gives_way_in_each_folder_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a folder's file sets is not in the environment while its account has its turn, and is there for the next."""
    monkeypatch.setattr("impact_sync.configuration._set", {"RUNTIME__LOG_LEVEL"})
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text('[runtime]\nlog_level = "ERROR"\n')
    set_defaults()
    assert "RUNTIME__LOG_LEVEL" not in os.environ
    monkeypatch.chdir("/")
    set_defaults()
    assert os.environ["RUNTIME__LOG_LEVEL"] == "CRITICAL"


def test_an_interrupt_ends_all(client: Make) -> None:
    """Ctrl-C during the first account's turn ends the command; the second is not asked for anything."""
    acme, zoo = client("acme"), client("zoo")
    run = subprocess.Popen(victim("", "-C", "clients/*", "sync"), env=environment(), stderr=subprocess.PIPE, text=True)

    def interrupt(request: Request) -> None:
        if request.path.endswith("/Actions"):
            run.send_signal(signal.SIGINT)

    acme.sandbox.on_request = interrupt
    _, said = run.communicate()
    assert run.returncode == 130, said
    assert "impact: clients/acme: interrupted" in said
    assert zoo.sandbox.requests == []


@pytest.mark.parametrize(
    ("arguments", "changes", "says"),
    [
        (["sync"], {"SOURCES__IMPACT__ACCOUNT_SID": "IR1"}, "would share SOURCES__IMPACT__ACCOUNT_SID from the"),
        (["sync"], {"DESTINATION__DUCKDB__CREDENTIALS": "x.duckdb"}, "would share DESTINATION__DUCKDB__CREDENTIALS"),
        pytest.param(
            ["sync"], {"CREDENTIALS": "x.duckdb", "DLT_PROJECT_DIR": "."}, "DLT_PROJECT_DIR", marks=pytest.mark.long
        ),
        pytest.param(
            ["sync"], {"DLT_CONFIG_FOLDER": "/"}, "DLT_CONFIG_FOLDER from the environment", marks=pytest.mark.long
        ),
        (["-C", "clients", "sync"], {}, "clients has no folder .dlt with the settings of an account"),
        (["-C", "cleints/*", "sync"], {}, "cleints/* has no folder .dlt with the settings of an account"),
        (["status", "--json"], {}, "--json describes one account: give one --folder"),
    ],
)
def test_what_cannot_be_right_for_several_accounts_is_refused(
    client: Make, arguments: list[str], changes: dict[str, str], says: str
) -> None:
    """A variable that would make all accounts one, or a folder without settings, ends with 2 and no request."""
    ones = [client("acme"), client("zoo")]
    said = clean(impact("-C", "clients/*", *arguments, env=environment(None, **changes)), 2)
    assert says in " ".join(said.replace("│", "").split())
    assert [request for one in ones for request in one.sandbox.requests] == []


def test_one_folder_is_as_if_started_there(client: Make) -> None:
    """With a single folder, the output is the command's own, JSON included, and the environment counts as usual."""
    one = client("acme")
    chosen = environment(SOURCES__IMPACT__CAMPAIGN_IDS='["1000"]', SOURCES__IMPACT__AUTH_TOKEN=one.sandbox.auth_token)
    said = clean(impact("-C", "clients/acme", "sync", env=chosen), 0)
    assert "clients/acme:" not in said
    assert campaigns(one) == {"1000"}
    found = json.loads(impact("-C", "clients/acme", "status", "--json", env=environment()).stdout)
    assert found["runs"][0]["outcome"] == "done"

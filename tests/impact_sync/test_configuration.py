"""Configuration and environments as people have them: they work, or one line says what to change."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from impact_sandbox import Campaign
from impact_sync.cli import main

from tests.support.account import Account
from tests.support.commands import IMPACT, clean, environment, impact

Make = Callable[..., Account]


def configure(one: Account, text: str, name: str = "config.toml") -> None:
    """Write a configuration file into the working folder."""
    (one.folder / ".dlt").mkdir(exist_ok=True)
    (one.folder / ".dlt" / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "variables", "says"),
    [
        ('[sources.impact]\nstart_dat = "2026-01-01"', {}, "did you mean sources.impact.start_date?"),
        pytest.param(
            '[source.impact]\nstart_date = "2026-01-01"',
            {},
            "did you mean sources.impact.start_date?",
            marks=pytest.mark.long,
        ),
        pytest.param(
            '[sources]\nstart_date = "2026-01-01"',
            {},
            "did you mean sources.impact.start_date?",
            marks=pytest.mark.long,
        ),
        ('[impact]\nlake = "s3://bucket"', {}, "did you mean impact.lake_url?"),
        ("[sources.impact]\nzzz = 1", {}, "nothing reads sources.impact.zzz; remove it"),
        ("", {"SOURCES__IMPACT__CAMPAIGN_ID": "1000"}, "did you mean sources.impact.campaign_ids?"),
        pytest.param(
            "",
            {"SOURCE__IMPACT__CAMPAIGN_IDS": "1000"},
            "did you mean sources.impact.campaign_ids?",
            marks=pytest.mark.long,
        ),
        ("", {"SOURCES_IMPACT_CAMPAIGN_IDS": "1000"}, "did you mean SOURCES__IMPACT__CAMPAIGN_IDS?"),
        pytest.param(
            "",
            {"DESTINATION_DUCKDB_CREDENTIALS": "x"},
            "did you mean DESTINATION__DUCKDB__CREDENTIALS?",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_key_that_nothing_reads_is_named_with_the_right_one(
    account: Make, text: str, variables: dict[str, str], says: str
) -> None:
    """A misspelt key, section or variable ends with 2 before anything is requested from the API."""
    one = account(days=1, per_day=0)
    configure(one, text)
    assert says in clean(impact("sync", env=environment(one, **variables)), 2)
    assert one.sandbox.requests == []


def test_other_sections_of_a_dlt_project_are_none_of_our_business(account: Make) -> None:
    """Keys of dlt, of other sources, and of the pipeline's own sections pass."""
    one = account(days=1, per_day=1)
    configure(one, "[sources.github]\ntoken = 1\n[impact.load]\nworkers = 1\n[normalize]\nworkers = 1\n[x]\ny = 1\n")
    said = clean(impact("sync", env=environment(one)), 0)
    assert "nothing reads" not in said
    assert "did you mean" not in said
    one.assert_true()


def test_a_date_without_quotes_is_a_date(account: Make) -> None:
    """TOML has its own dates; they bound a sync like quoted ones."""
    one = account(days=60, per_day=1)
    one.start = None
    configure(one, "[sources.impact]\nstart_date = 2026-01-10\n")
    clean(impact("sync", env=environment(one)), 0)
    asked = [request.query["StartDate"] for request in one.sandbox.requests if "StartDate" in request.query]
    assert min(asked).startswith("2026-01-10")


def test_our_defaults_rank_below_the_users_configuration(account: Make) -> None:
    """What the user configures for dlt in a file applies, though we prefer something else."""
    one = account(days=1, per_day=1)
    configure(one, '[runtime]\nlog_level = "INFO"\n[load]\ndelete_completed_jobs = false\n')
    code = (
        "import impact_sync, dlt, os; from dlt.common.configuration.specs import RuntimeConfiguration; "
        "from dlt.common.configuration.resolve import resolve_configuration; "
        "from dlt.common.storages.configuration import LoadStorageConfiguration; "
        "found = resolve_configuration(RuntimeConfiguration()); print(found.log_level, found.dlthub_telemetry, "
        "os.environ.get('LOAD__DELETE_COMPLETED_JOBS'), os.environ['LOAD__TRUNCATE_STAGING_DATASET'])"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RUNTIME__", "LOAD__"))}
    python = str(Path(IMPACT).with_name("python"))
    done = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["INFO", "False", "None", "true"]


def test_a_load_id_in_every_row_does_not_make_every_row_a_changed_one(account: Make) -> None:
    """With `add_dlt_load_id` configured, a second sync changes nothing and the history stays empty."""
    one = account(days=5, per_day=3)
    configure(one, "[normalize.parquet_normalizer]\nadd_dlt_load_id = true\n")
    for _ in range(2):
        clean(impact("sync", env=environment(one)), 0)
    one.assert_true()
    assert one.query("select count(*) from impact.action_history where valid_to is not null") == [(0,)]


def test_missing_credentials_say_where_they_were_looked_for(account: Make) -> None:
    """The files are named, including missing ones, and the one that has the setting, or lies further up."""
    one = account(days=1, per_day=0)
    env = {k: v for k, v in environment(one).items() if k != "SOURCES__IMPACT__ACCOUNT_SID"}
    said = clean(impact("check", env=env), 2)
    assert f"{one.folder}/.dlt/secrets.toml (not there)" in said
    configure(one, '[sources.impact]\naccount_sid = "IR1"\n')
    assert "config.toml has it, where no secret is looked for" in clean(impact("check", env=env), 2)
    (one.folder / ".dlt" / "config.toml").unlink()
    configure(one, '[sources.impact]\naccount_sid = "IR1"\n', "secrets.toml")
    (one.folder / "below").mkdir()
    done = subprocess.run(
        [IMPACT, "check"], env=env, cwd=one.folder / "below", capture_output=True, text=True, check=False
    )
    assert f"{one.folder}/.dlt/secrets.toml is there: run from its project's folder" in clean(done, 2)


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_file_that_is_no_toml_is_named(account: Make, start: str) -> None:
    """A broken file is reported with its line, and with the byte order mark that some editors put at its start."""
    one = account(days=1, per_day=0)
    configure(one, f"{start}[sources.impact]\npage_size = 2000{'' if start else ' x'}\n")
    said = clean(impact("check", env=environment(one)), 2)
    assert f"{one.folder}/.dlt/config.toml cannot be read" in said
    assert "line" in said
    assert ("byte order mark" in said) == bool(start)


def test_blanks_around_credentials_are_not_part_of_them(account: Make) -> None:
    """A newline, a blank or a byte order mark around a value does not make it wrong."""
    one = account(days=1, per_day=0)
    sid, token, url = one.sandbox.account_sid, one.sandbox.auth_token, one.sandbox.url
    own = {
        "SOURCES__IMPACT__ACCOUNT_SID": f"\ufeff{sid}\n",
        "SOURCES__IMPACT__AUTH_TOKEN": f" {token}\r\n",
        "SOURCES__IMPACT__BASE_URL": f"{url} \n",
    }
    assert "1000 Acme Campaign" in clean(impact("check", env=environment(one, **own)), 0)
    assert {request.path.split("/")[2] for request in one.sandbox.requests} == {sid}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, "ALL_PROXY"),
        ({"HTTPS_PROXY": "nonsense://127.0.0.1:1"}, "HTTPS_PROXY is not the address of a proxy"),
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "SSL_CERT_FILE is '/nowhere/ca.pem', which does not exist"),
        pytest.param(
            {"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR is '/nowhere', which does not exist", marks=pytest.mark.long
        ),
        ({"DESTINATION__DUCKDB__CREDENTIALS": "postgresql://u:secret@h/db"}, "set IMPACT__DESTINATION=postgres"),
        ({"DESTINATION__DUCKDB__CREDENTIALS": ":memory:"}, "name a file"),
    ],
)
def test_surroundings_that_cannot_be_used_are_named(account: Make, variables: dict[str, str], says: str) -> None:
    """A variable that some tool or colleague has set ends with 2 and its name, and leaves no file behind."""
    one = account(days=1, per_day=0)
    said = clean(impact("sync", env=environment(one, SOURCES__IMPACT__BASE_URL="https://127.0.0.1:1", **variables)), 2)
    assert says in said
    assert "secret" not in said
    assert not [path for path in one.folder.iterdir() if path.is_file()]


def test_ranges_of_addresses_in_no_proxy_do_no_harm(account: Make) -> None:
    """`NO_PROXY` as clusters have it, IPv6 ranges included, is understood."""
    one = account(days=1, per_day=0)
    variables = {"NO_PROXY": "10.0.0.0/8,::1,fd00::/8,.cluster.local", "HTTPS_PROXY": "127.0.0.1:1"}
    url = {"SOURCES__IMPACT__BASE_URL": "https://api.invalid", "SOURCES__IMPACT__MAX_WAIT": "0 seconds"}
    ended = CliRunner().invoke(main, ["check"], env=environment(one, **url, **variables))  # retries without waiting
    assert (ended.exit_code, "ConnectError" in ended.output) == (4, True), ended.output


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.long)])
def test_names_that_an_output_cannot_show_are_shown_by_their_codes(account: Make, encoding: str) -> None:
    """A campaign called `Café 日本` on a terminal of another encoding is no reason to fail once all has landed."""
    one = account(days=2, per_day=2, campaigns=(Campaign(id="1000", name="Café 日本"),))
    env = environment(one, PYTHONIOENCODING=encoding)
    done = subprocess.run([IMPACT, "sync"], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\\u65e5\\u672c" in done.stdout


@pytest.mark.parametrize(
    "closed",
    [
        ">&- 2>&- <&-",
        "| head -c 0",
        "> /dev/full 2> /dev/full",
        *(pytest.param(one, marks=pytest.mark.long) for one in (">&-", "2>&-", "> /dev/full", "2> /dev/full")),
    ],
)
def test_an_output_that_nobody_reads_is_no_reason_to_fail(account: Make, closed: str) -> None:
    """Closed outputs, broken pipes, full disks: the exit code is the sync's, the warehouse is as it should be."""
    one = account(days=2, per_day=2)
    command = f"set -o pipefail; '{IMPACT}' -v sync {closed}"
    done = subprocess.run(
        ["/bin/bash", "-c", command], env=environment(one), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("the output is not complete" in done.stderr) == (closed == "> /dev/full")
    one.assert_true()

"""Accounts as Dagster assets: one task per account, each with its own warehouse, with retries and backfills.

    IMPACT_ACCOUNTS=accounts.toml dagster dev -f pipelines/schedules/dagster_impact.py

`accounts.toml` has a table for each account; its values become the environment of that account's runs:

    [acme]
    SOURCES__IMPACT__ACCOUNT_SID = "..."
    SOURCES__IMPACT__AUTH_TOKEN = "..."
    DESTINATION__DUCKDB__CREDENTIALS = "/var/lib/impact/acme.duckdb"

Exit codes 3 and 5 mean "again later", 1 is an alert although everything has landed, all others but 0 are failures.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg

IMPACT = os.environ.get("IMPACT", str(Path(sys.executable).with_name("impact")))
AGAIN = {3, 5}
"""The hourly limit is used up; another run holds the warehouse."""
FIXED_BY_HAND = {1, 2}
"""Rejected records, which someone has to look at; settings and credentials."""
RETRIES = 5
WAIT = int(os.environ.get("IMPACT_RETRY_SECONDS", "900"))
"""Until a run that stopped early continues: the hourly limit resets."""


class Range(dg.Config):
    """What to read again, for a backfill: ISO 8601 or dates; nothing for an ordinary run."""

    since: str = ""
    until: str = ""


def accounts() -> dict[str, dict[str, str]]:
    """The environment of each account by its name."""
    path = Path(os.environ.get("IMPACT_ACCOUNTS", "accounts.toml"))
    return {
        name: {key: str(value) for key, value in table.items()}
        for name, table in tomllib.loads(path.read_text()).items()
    }


def asset_of(name: str, own: dict[str, str]) -> dg.AssetsDefinition:
    """The actions of one account."""

    @dg.asset(name=f"actions_{name}", group_name="impact", pool=f"impact_{name}")
    def actions(context: dg.AssetExecutionContext, config: Range) -> dg.MaterializeResult:
        asked = [
            part for option in ("since", "until") if (at := getattr(config, option)) for part in (f"--{option}", at)
        ]
        run = subprocess.run(  # noqa: S603 - the command is our own
            [IMPACT, "sync", *asked], env=os.environ | own, capture_output=True, text=True, check=False
        )
        context.log.info(run.stdout)
        line = next(reversed(run.stderr.strip().splitlines()), "no message")
        if run.returncode in AGAIN:
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=WAIT)
        if run.returncode:
            msg = f"{name} ended with {run.returncode}: {line}"
            raise dg.Failure(msg, allow_retries=run.returncode not in FIXED_BY_HAND)
        return dg.MaterializeResult()

    return actions


assets = [asset_of(name, own) for name, own in accounts().items()]
job = dg.define_asset_job("sync_all", selection=dg.AssetSelection.assets(*assets))
defs = dg.Definitions(
    assets=assets,
    jobs=[job],
    schedules=[dg.ScheduleDefinition(job=job, cron_schedule="7 * * * *")],
)

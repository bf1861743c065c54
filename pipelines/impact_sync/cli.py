"""The `impact` command. Each verb imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console.ending import watchdog
from .console.verbs import Group, verb
from .corrections.commands import corrections
from .warehouse.migrations.steps import SCHEMA_VERSION

if TYPE_CHECKING:  # help is instant
    from collections.abc import Callable
    from datetime import datetime, timedelta

_INSTANT = "ISO 8601 instant, UTC unless it says otherwise, or a date"
_WHOLE = "ISO 8601; a date is that whole day, UTC"


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Start with no account:  impact demo
With an account:        impact check, then impact sync

\b
Credentials: SOURCES__IMPACT__ACCOUNT_SID and SOURCES__IMPACT__AUTH_TOKEN in the environment,
or .dlt/secrets.toml. The warehouse is impact_warehouse.duckdb here,
or what DESTINATION__DUCKDB__CREDENTIALS names.

\b
Exit codes: 0 done; 1 rejected records, drift, or a correction that is not as it was asked for;
2 something for you to mend; 3 stopped early, run again;
4 the API, the warehouse or this program failed; 5 the warehouse is in use; 130, 143 interrupted.""",
)
@click.version_option(
    package_name="impact-sync", message=f"%(prog)s, version %(version)s (warehouse schema version {SCHEMA_VERSION})"
)
@click.option("-v", "--verbose", count=True, help="Log what is done; twice for every window.")
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"]),
    default="plain",
    envvar="IMPACT_LOG_FORMAT",
    show_default=True,
    show_envvar=True,
    help="json: one object a line on standard error, progress included.",
)
def main(verbose: int, log_format: str) -> None:
    """Keep every impact.com action, and every later change to it, true in your warehouse."""
    watchdog.stacks = verbose > 1
    from .console.logs import configure  # noqa: PLC0415 - help is instant

    configure(verbose, json=log_format == "json")


def _start(_: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    from impact_source.settings import parse_start  # noqa: PLC0415 - help is instant

    return _bound(parameter, text, parse_start)


def _end(_: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    from impact_source.settings import parse_end  # noqa: PLC0415 - help is instant

    return _bound(parameter, text, parse_end)


def _bound(parameter: click.Parameter, text: str | None, parse: Callable[[str], datetime]) -> datetime | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        msg = f"{text!r} is not an {_INSTANT}"
        raise click.BadParameter(msg, param=parameter) from error


def _duration(_: click.Context, parameter: click.Parameter, text: str | None) -> timedelta | None:
    if text is None:
        return None
    from impact_source.settings import parse_duration  # noqa: PLC0415 - help is instant

    try:
        return parse_duration(text)
    except (ValueError, OverflowError) as error:
        msg = f'{text!r} is not a duration such as "6 hours" or "6h"'
        raise click.BadParameter(msg, param=parameter) from error


@main.command()
@verb
def check() -> int:
    """Try the credentials and say what to mend.

    Asks for the campaigns, for actions and for items, and shows the scopes the token has, the requests left in this
    hour and how far this machine's clock is off. Writes nothing.
    """
    from .check import run  # noqa: PLC0415 - help is instant

    return run()


@main.command()
@click.option("--campaign", "campaigns", multiple=True, metavar="ID", help="Only this campaign; repeat for more.")
@click.option(
    "--since",
    callback=_start,
    metavar="T",
    help=f"Read from here instead of the cursors ({_WHOLE}). Before a cursor it re-reads; after it, it moves none.",
)
@click.option("--until", callback=_end, metavar="T", help=f"Read up to here instead of now ({_WHOLE}).")
@click.option(
    "--items/--no-items",
    default=None,
    help="Read items with the requests that the hour leaves, or none; default: as items_max_requests says.",
)
@click.option("--dry-run", is_flag=True, help="Print windows, requests and the time it would take; load nothing.")
@verb
def sync(
    campaigns: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    *,
    items: bool | None,
    dry_run: bool,
) -> int:
    """Bring the warehouse up to date.

    Reads each campaign along the last-updated date and along the locking date, each from where the last run got to,
    and merges what changed. The first run reads as far back as the API goes. Interrupted at any point, the next run
    goes on from the last load package. Then it reads the items of actions, as many as the hour's requests allow.
    """
    from .sync.command import run, run_dry  # noqa: PLC0415 - help is instant

    return (run_dry if dry_run else run)(campaigns, since, until, items=items)


@main.command()
@click.option("--max-requests", type=click.IntRange(min=0), metavar="N", help="Send at most so many requests.")
@verb
def items(max_requests: int | None) -> int:
    """Read the items of all actions that wait for it.

    One request an action is the price, so they are a queue: changed and still open actions first, then new ones, then
    locked ones; of each the largest first. Leaves a tenth of the hour's requests to others, waits for the hour to turn
    if max_wait allows, else exits 3: run again. Interrupted at any point, hardly anything is asked for twice.
    """
    from .items.command import run  # noqa: PLC0415 - help is instant

    return run(max_requests)


@main.command()
@click.option("--campaign", "campaigns", multiple=True, metavar="ID", help="Only this campaign; repeat for more.")
@click.option(
    "--since",
    callback=_start,
    metavar="T",
    help=f"Verify events from here on ({_WHOLE}); by default as far back as the API goes.",
)
@click.option("--until", callback=_end, metavar="T", help=f"Verify events up to here ({_WHOLE}); default now.")
@click.option("--repair", is_flag=True, help="Mend what is missing or stale; acknowledge what is gone at the source.")
@verb
def verify(campaigns: tuple[str, ...], since: datetime | None, until: datetime | None, *, repair: bool) -> int:
    """Prove that the warehouse is what the API says.

    Reads every action once more, along the event date, which no sync walks along, and compares all columns. What
    changed since the last sync is shown and is no drift. Exits 1 if anything else differs, with the actions named;
    with --repair mends it. Actions that are gone at the source are flagged, never deleted.
    """
    from .verify.command import run  # noqa: PLC0415 - help is instant

    return run(campaigns, since, until, repair=repair)


@main.command()
@click.argument("action_id")
@click.option("--sku", help="Only this item, asked for by itself.")
@verb
def show(action_id: str, sku: str | None) -> int:
    """Show one action and its items, live beside the warehouse, and say whether they agree.

    Asks the API for the action and its items and writes nothing. Exits 1 unless both agree on all of it, 2 if neither
    the API nor the warehouse knows the action.
    """
    from .show import run  # noqa: PLC0415 - help is instant

    return run(action_id, sku)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.option(
    "--max-age",
    callback=_duration,
    metavar="D",
    help='Exit 1 where a campaign was read up to more than D ago ("6 hours", "6h", "PT6H").',
)
@verb
def status(*, as_json: bool, max_age: timedelta | None) -> int:
    """Show cursors, freshness, items, rejected records and the last runs. Reads the warehouse only.

    With --max-age it is a check for a schedule or a monitor: it exits 1 and names the campaigns that are older.
    """
    from .status.command import run  # noqa: PLC0415 - help is instant

    return run(as_json=as_json, max_age=max_age)


@main.command()
@click.option(
    "-o",
    "--output",
    default="impact-report.html",
    show_default=True,
    metavar="FILE",
    help="Where to write it; what is there is replaced.",
)
@click.option("--campaign", "campaigns", multiple=True, metavar="ID", help="Only this campaign; repeat for more.")
@click.option("--since", callback=_start, metavar="T", help=f"Only conversions from here on ({_WHOLE}).")
@click.option(
    "--compare-to",
    callback=_end,
    metavar="T",
    help=f"Tell changes since this instant ({_WHOLE}); default: the last month end that the data has passed.",
)
@verb
def report(output: str, campaigns: tuple[str, ...], since: datetime | None, compare_to: datetime | None) -> int:
    """Write one HTML file with the figures, charts and tables that finance asks for. Reads the warehouse only.

    Accrued commission, what of it is at risk, when it locks, reversals, partners, what was restated since the month
    end, how far items are known, freshness and verification. The file needs no network, opens from disk and prints.
    """
    from .report.command import run  # noqa: PLC0415 - help is instant

    return run(output, campaigns, since, compare_to)


main.add_command(corrections)


@main.command()
@click.argument("url", required=False)
@click.option(
    "--account", metavar="NAME", help="What this account is called in the lake; default: impact.lake_account."
)
@click.option("--whole", is_flag=True, help="Write every row, whatever the lake says it holds.")
@click.option(
    "--views",
    metavar="DIALECT",
    help="Publish nothing; print the SQL that makes the account's tables and views in an engine (`spark`).",
)
@verb
def publish(url: str | None, account: str | None, *, whole: bool, views: str | None) -> int:
    """Make a lake of Delta tables at URL (s3://bucket/folder) hold what the warehouse holds.

    Writes the rows that differ and deletes those that are gone, a table at a time, each in one commit. Accounts share
    the tables and can be published at once. Killed at any point, the next run makes it whole. With impact.lake_url
    configured, sync, items and verify publish at their end.
    """
    from .lake.command import run, run_views  # noqa: PLC0415 - help is instant

    return run_views(url, account, views) if views else run(url, account, whole=whole)


@main.command()
@click.option("--port", default=8844, show_default=True, help="Port on 127.0.0.1.")
@click.option("--days", default=180, show_default=True, help="Days of history that the account has.")
@click.option("--per-day", default=100, show_default=True, help="Conversions a day, over all campaigns.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same account, and faults.")
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="RATE",
    help="Share of requests that go wrong in a way that another try mends: 0.2 is every fifth.",
)
@click.option("--closed", multiple=True, metavar="ID", help="Campaign (1000, 2000) that is closed from now on.")
@click.option(
    "--odd-items",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Share of the actions whose items do not add up to their amount.",
)
@verb
def sandbox(  # noqa: PLR0913, PLR0917 - click's signature
    port: int, days: int, per_day: int, seed: int, faults: float, closed: tuple[str, ...], odd_items: float
) -> int:
    """Serve an account that behaves like impact.com's, on this machine, until interrupted.

    Prints the settings to sync from it. Its clock can be moved: POST {"advance_days": 30} to /sandbox/clock. With
    --faults it limits, fails, resets, cuts, drips and hangs; at the end it counts what it threw. The hour of its limit
    passes with its clock.
    """
    from .sandbox import run  # noqa: PLC0415 - help is instant

    return run(port, days, per_day, seed, faults, closed=closed, odd_items=odd_items)


@main.command()
@verb
def demo() -> int:
    """Sync a sandbox account, let a month pass, sync again, and show what changed. Needs no account.

    Leaves the warehouse in impact-demo.duckdb for you to query.
    """
    from .demo import run  # noqa: PLC0415 - help is instant

    return run()

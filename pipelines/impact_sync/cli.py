"""The `impact` command. Each verb imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from .console.accounts import find
from .console.ending import watchdog
from .console.verbs import Group, verb
from .corrections.commands import corrections
from .warehouse.migrations.steps import SCHEMA_VERSION

if TYPE_CHECKING:  # help is instant
    from collections.abc import Callable
    from datetime import date, timedelta
    from pathlib import Path

Verb = TypeVar("Verb", bound="Callable[..., Any]")
_INSTANT = "ISO 8601 instant, time or date"
_ISO = "ISO 8601, in the account's time zone unless it has an offset; a date means that whole day"


def _folders(_: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[Path, str]:
    try:
        return find(given)
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from error


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
Many accounts: a folder for each, then impact -C 'clients/*' sync

\b
Exit codes: 0 done; 1 rejected records, drift, a correction that did not end as asked, or a
month that cannot be closed yet;
2 something for you to fix; 3 stopped early, run again;
4 the API, the warehouse or this program failed; 5 the warehouse is in use; 130, 143 interrupted.""",
)
@click.version_option(
    package_name="impact-sync", message=f"%(prog)s, version %(version)s (warehouse schema version {SCHEMA_VERSION})"
)
@click.option("-v", "--verbose", count=True, help="Log what it does; twice: every window.")
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"]),
    default="plain",
    envvar="IMPACT_LOG_FORMAT",
    show_default=True,
    show_envvar=True,
    help="json: one object per line on standard error, progress included.",
)
@click.option(
    "-C",
    "--folder",
    "folders",
    multiple=True,
    callback=_folders,
    type=click.Path(),
    metavar="FOLDER",
    envvar="IMPACT_FOLDERS",
    show_envvar=True,
    help="Run in FOLDER, an account with its own .dlt and warehouse, as if started there. Several, repeated or as "
    "a pattern ('clients/*'), run one after the other; if one fails, the others go on.",
)
@click.pass_context
def main(context: click.Context, verbose: int, log_format: str, folders: dict[Path, str]) -> None:
    """Keep every impact.com action, with every later change to it, in your warehouse."""
    context.obj = folders
    watchdog.stacks = verbose > 1
    from .console.logs import configure  # noqa: PLC0415 - help is instant

    configure(verbose, json=log_format == "json")


def _bound(_: click.Context, parameter: click.Parameter, text: str | None) -> date | None:
    from impact_source.parsing import parse_bound  # noqa: PLC0415 - help is instant

    try:
        return None if text is None else parse_bound(text)
    except ValueError as error:
        msg = f"{text!r} is not an {_INSTANT}"
        raise click.BadParameter(msg, param=parameter) from error


_campaigns = click.option(
    "--campaign", "campaigns", multiple=True, metavar="ID", help="Only this campaign; repeat for more."
)


def _bounded(name: str, use: str) -> Callable[[Verb], Verb]:
    """An option for the start or the end of a period: a date includes that day."""
    return click.option(name, callback=_bound, metavar="T", help=use)


def _duration(_: click.Context, parameter: click.Parameter, text: str | None) -> timedelta | None:
    if text is None:
        return None
    from impact_source.parsing import parse_duration  # noqa: PLC0415 - help is instant

    try:
        return parse_duration(text)
    except (ValueError, OverflowError) as error:
        msg = f'{text!r} is not a duration such as "6 hours" or "6h"'
        raise click.BadParameter(msg, param=parameter) from error


@main.command()
@click.option("--probe", is_flag=True, help="Ask how the API behaves where its documents are silent.")
@verb
def check(*, probe: bool) -> int:
    """Test the credentials and say what to fix.

    Asks for campaigns, actions, items, the change feed and the reference tables, and shows what the token may read, the
    requests left in this hour and how far this machine's clock is off. Writes nothing.

    With --probe it asks the account what impact.com's documents leave open: how finely dates are compared, whether the
    end of a range belongs to it, how too many matches are refused, what an early approval does to the LockingDate,
    what the change feed holds, and more. It sends at most 30 requests, all of which only read. Each answer is a reading
    by its name, or the reason why it could not be told. The sheet holds no id, name, amount or date of the account, so
    you can send it to us as it is. Exits 3 if the hourly limit ends it early.
    """
    from .check import run  # noqa: PLC0415 - help is instant
    from .probe.command import run as run_probe  # noqa: PLC0415 - help is instant

    return (run_probe if probe else run)()


@main.command()
@_campaigns
@_bounded(
    "--since", f"Read from T instead of from the cursors ({_ISO}). If T is after a cursor, that cursor does not move."
)
@_bounded("--until", f"Read up to T instead of now ({_ISO}).")
@click.option(
    "--items/--no-items",
    default=None,
    help="Request lists of items with what is left of the hour, or none; default: as items_max_requests says.",
)
@click.option("--dry-run", is_flag=True, help="Print windows, requests and time; load nothing.")
@verb
def sync(
    campaigns: tuple[str, ...],
    since: date | None,
    until: date | None,
    *,
    items: bool | None,
    dry_run: bool,
) -> int:
    """Bring the warehouse up to date.

    Reads each campaign by last-updated date, by locking date and by its change feed, from where the last run stopped,
    and merges what changed. The first run reads as far back as the API goes. If a run is interrupted, the next one
    continues from the last load package. Then it reads the reference tables (partners, contracts, invoices and the
    like), once a day, derives items from the change feed, and reads lists of items with the requests that the hourly
    limit leaves.
    """
    from .sync.command import run, run_dry  # noqa: PLC0415 - help is instant

    return (run_dry if dry_run else run)(campaigns, since, until, items=items)


@main.command()
@click.option("--max-requests", type=click.IntRange(min=0), metavar="N", help="Send at most N requests.")
@click.option(
    "--prove-feed",
    "prove",
    multiple=True,
    metavar="ID",
    help="Compare the change feed of campaign ID with new lists of items, although one contradicted it; repeat.",
)
@verb
def items(max_requests: int | None, prove: tuple[str, ...]) -> int:
    """Read the items of all actions that are waiting in the queue.

    Items are derived from the change feed of a campaign once 30 lists of items agree with it; other actions cost a
    request each. The queue has changed and still open actions first, then new ones, then locked ones, then derived
    ones, whose lists add names and rebates; in each group the largest amount comes first. A tenth of the hourly limit
    is left to others. At the limit it waits for the next hour if max_wait allows, else it exits 3 if the items of any
    action are not known: run again. After an interruption hardly anything is requested twice.

    If a list contradicts a feed, that campaign's items come from lists only, until --prove-feed; `impact status` says
    which and why.
    """
    from .items.command import run  # noqa: PLC0415 - help is instant

    return run(max_requests, prove)


@main.command()
@_campaigns
@_bounded("--since", f"Verify events from T on ({_ISO}); default: as far back as the API goes.")
@_bounded("--until", f"Verify events up to T ({_ISO}); default: now.")
@click.option("--repair", is_flag=True, help="Repair what is missing or stale; acknowledge what is gone at the source.")
@verb
def verify(campaigns: tuple[str, ...], since: date | None, until: date | None, *, repair: bool) -> int:
    """Prove that the warehouse matches the API.

    Reads every action again by event date, which no sync uses, and compares all columns; then the lists of items of a
    sample of actions whose items come from the change feed, 30 a campaign. What changed since the last sync is shown
    and does not count as drift. Exits 1 if anything else differs, and names the actions; with --repair it repairs
    them. Actions that are gone at the source are flagged, never deleted.
    """
    from .verify.command import run  # noqa: PLC0415 - help is instant

    return run(campaigns, since, until, repair=repair)


@main.command()
@click.argument("action_id")
@click.option("--sku", help="Only this item.")
@verb
def show(action_id: str, sku: str | None) -> int:
    """Compare one action and its items in the API and in the warehouse.

    Also shows the action's changes, as the last sync read them from the change feed. Asks the API for the action and
    its items; writes nothing. Exits 1 unless both agree, 2 if neither the API nor the warehouse has the action. Names
    and rebates of items known from the change feed are not compared.
    """
    from .show import run  # noqa: PLC0415 - help is instant

    return run(action_id, sku)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.option(
    "--max-age",
    callback=_duration,
    metavar="D",
    help='Exit 1 if a campaign was last synced more than D ago ("6 hours", "6h", "PT6H").',
)
@verb
def status(*, as_json: bool, max_age: timedelta | None) -> int:
    """Show cursors, freshness, items, change feeds, rejected records and the last runs. Reads the warehouse only.

    With --max-age it is a check for a scheduler or a monitor: it exits 1 and names the campaigns that are older.
    """
    from .status.command import run  # noqa: PLC0415 - help is instant

    return run(as_json=as_json, max_age=max_age)


def _month(_: click.Context, parameter: click.Parameter, text: str | None) -> date | None:
    if text is None:
        return None
    from datetime import datetime  # noqa: PLC0415 - help is instant

    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month of the account's calendar
    except ValueError as error:
        msg = f"{text!r} is not a month such as 2026-01"
        raise click.BadParameter(msg, param=parameter) from error


@main.command()
@click.argument("month", required=False, callback=_month)
@click.option("--note", metavar="TEXT", help="What to remember with it, such as who approved it.")
@click.option("--force", is_flag=True, help="Close it although it is not completely read, not verified or empty.")
@verb
def close(month: date | None, note: str | None, *, force: bool) -> int:
    """Freeze the figures of a MONTH (2026-01) in the account's calendar; without one, list the closed months.

    Writes what is accrued for the month's conversions, and how much of it is open, locked and paid, by partner and
    currency, into the tables closes and close_lines, as the warehouse knows it now, with a hash over the lines. A
    closed month never changes and cannot be closed again: the view close_changes shows what has moved since, by kind.
    Asks nothing of the API.

    Sync and verify after the month has ended, then close it. It exits 1 and closes nothing if a campaign was not read
    from the month's start to its end, if records were rejected, if no verification covers the month, if the latest one
    found drift that was not repaired or could not compare items that come from the change feed, or if the month has no
    conversion; --force closes it nevertheless and keeps the reasons with it. It exits 2 if the month is closed already,
    is not over, or if nothing of it was ever read. The list exits 1 if somebody has changed the lines of a closed
    month.
    """
    from .close.command import run  # noqa: PLC0415 - help is instant

    return run(month, note, force=force)


@main.command()
@click.option(
    "-o",
    "--output",
    default="impact-report.html",
    show_default=True,
    metavar="FILE",
    help="Where to write it; an existing file is replaced.",
)
@_campaigns
@_bounded("--since", f"Only conversions from T on ({_ISO}).")
@_bounded("--compare-to", f"Show changes since T ({_ISO}); default: the last month end that the data covers.")
@click.option(
    "--close",
    callback=_month,
    metavar="MONTH",
    help="Compare with a closed month (2026-01), and show what has changed since it was closed.",
)
@verb
def report(
    output: str, campaigns: tuple[str, ...], since: date | None, compare_to: date | None, close: date | None
) -> int:
    """Write one HTML file with the figures, charts and tables that finance asks for. Reads the warehouse only.

    Accrued commission, how much of it is at risk and when it locks, reversals, partners, what was restated since the
    month end, what waits for payment, customers and promo codes, invoices that differ from their actions, how complete
    items are, freshness and verification. The file needs no network and can be printed.

    --close shows a closed month beside what is accrued for it now. It exits 2 if the month is not closed.
    """
    from .report.command import run  # noqa: PLC0415 - help is instant

    if close and (campaigns or since or compare_to):
        msg = "--close compares a complete month with what was known then: leave out --campaign, --since, --compare-to"
        raise click.UsageError(msg)
    return run(output, campaigns, since, compare_to, close)


@main.command()
@click.argument("orders", required=False, metavar="[ORDERS.csv | ORDERS.parquet]")
@click.option("--sql", metavar="SELECT", help="Take the orders from this query, in the warehouse or in --database.")
@click.option(
    "--database",
    metavar="ADDRESS",
    help="Ask --sql there: postgresql://..., sqlite:FILE or duckdb:FILE; default: impact.orders_database.",
)
@click.option("--items", metavar="FILE|SELECT", help="What is left of the orders by item: a file, or a query as --sql.")
@click.option(
    "--map", "maps", multiple=True, metavar="OURS=THEIRS", help="Your name of a column: amount=net, items.sku=article."
)
@_bounded("--since", f"Only orders from T on, and actions without an order ({_ISO}).")
@_bounded("--until", f"Only orders up to T, and actions without an order ({_ISO}).")
@click.option("--referred", is_flag=True, help="Every order should have an action: list those that have none.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="WHAT",
    help="Compare ids without regard to `case`, `blanks`, leading `zeros` or `prefix=TEXT`; repeat.",
)
@click.option("--plan", "plans", is_flag=True, help="Store a plan for `impact corrections apply`.")
@click.option("-o", "--output", metavar="FILE", help="Write all differences to this CSV file.")
@verb
def reconcile(orders: str | None, **options: Any) -> int:  # noqa: ANN401 - one for each option
    """Compare your own orders with the actions: what differs, what it costs, until when it can be corrected.

    Orders and actions are matched by order id within the event type, never by date. Columns of ORDERS, in any order;
    others are left out:

    \b
    order_id     as impact.com has it (Oid): text, compared exactly
    event_type   id or name of the event type; without it an id must be unique
    amount       what is left of the order, counted as impact.com counts it
    currency     of the amount
    status       placed, cancelled, returned, partly_returned; map yours in [impact.order_statuses]
    ordered_at   when it was placed: ISO 8601, in the account's time zone unless it says otherwise
    updated_at   when the shop last changed it, in the same way
    referred     whether it should have an action

    Columns of --items, for partly returned orders: order_id, sku, quantity, amount, as they are left.

    It lists returned and cancelled orders whose actions stand, partly returned ones that were not corrected, other
    amounts and currencies, orders without an action, actions without an order, several with one id, and orders that
    are reversed at impact.com but alive. What has locked is judged as of the last sync. Open ones come first, and those
    that lock within a week before all others. A ratio that many amounts share, with tax against without, is told once.
    Everything is also in the tables reconciliations and reconciliation_lines; the next run says what is new, what is
    settled at impact.com, what is no longer found because the orders have changed, and what locked before it was
    corrected.

    With --plan, what can be corrected becomes a plan, with the reason codes of [impact.order_reasons] (returned,
    cancelled, partly_returned, amount). Sends nothing. Exits 1 if anything can still be corrected, else 0.
    """  # noqa: D301 - click's mark for lines to be left as they are
    from .reconcile.asking import asked  # noqa: PLC0415 - help is instant
    from .reconcile.command import run  # noqa: PLC0415 - help is instant

    return run(asked(orders, **options))


main.add_command(corrections)


@main.command()
@click.argument("url", required=False)
@click.option("--account", metavar="NAME", help="The account's name in the lake; default: impact.lake_account.")
@click.option("--whole", is_flag=True, help="Write every row, even if the lake already has it.")
@click.option(
    "--views",
    metavar="DIALECT",
    help="Publish nothing; print the SQL that creates the account's tables and views in an engine (`spark`).",
)
@verb
def publish(url: str | None, account: str | None, *, whole: bool, views: str | None) -> int:
    """Copy the warehouse to a lake of Delta tables at URL (s3://bucket/folder).

    Writes the rows that differ and deletes those that are gone, table by table, each in one commit. Accounts share
    the tables and can be published at the same time. If a run is killed, the next one completes the lake. With
    impact.lake_url configured, sync, items and verify publish when they end.
    """
    from .lake.command import run, run_views  # noqa: PLC0415 - help is instant

    return run_views(url, account, views) if views else run(url, account, whole=whole)


@main.command()
@click.option("--port", default=8844, show_default=True, help="Port on 127.0.0.1.")
@click.option("--days", default=180, show_default=True, help="Days of history in the account.")
@click.option("--per-day", default=100, show_default=True, help="Conversions a day, over all campaigns.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same account, and faults.")
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="RATE",
    help="Share of requests that fail and succeed when repeated: 0.2 is every fifth.",
)
@click.option("--closed", multiple=True, metavar="ID", help="Campaign (1000, 2000) to close now.")
@click.option(
    "--odd-items",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Share of actions whose items do not add up to their amount.",
)
@click.option(
    "--time-zone",
    default="(GMT -08:00) Pacific Time (US & Canada); Tijuana",
    show_default=True,
    metavar="NAME",
    help="What the API calls the account's time zone.",
)
@click.option(
    "--orders",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Write the shop's own orders of the account here, with differences and the list of them.",
)
@click.option(
    "--planted", type=click.IntRange(0), default=80, show_default=True, metavar="N", help="Differences in --orders."
)
@verb
def sandbox(  # noqa: PLR0913, PLR0917 - click's signature
    port: int,
    days: int,
    per_day: int,
    seed: int,
    faults: float,
    closed: tuple[str, ...],
    odd_items: float,
    time_zone: str,
    orders: str | None,
    planted: int,
) -> int:
    """Serve an account that behaves like impact.com's, on this machine, until interrupted.

    Prints the settings to sync from it. To move its clock, POST {"advance_days": 30} to /sandbox/clock. With --faults
    it refuses, fails, resets, truncates, delays and hangs, and counts its faults at the end. Its hourly limit goes by
    its clock.

    --orders writes orders.csv, order_items.csv and planted.csv, all as of the start: what happens to the account later
    does not change them. Some actions then share an order id, which is among the differences.
    """
    from .sandbox import run  # noqa: PLC0415 - help is instant

    rules = {"odd_items": odd_items, "time_zone": time_zone}
    return run(port, days, per_day, seed, faults, closed=closed, orders=orders, planted=planted, **rules)


@main.command()
@verb
def demo() -> int:
    """Sync a sandbox account, let a month pass, sync again, and show what changed. Needs no account.

    Then it compares the shop's own orders with the actions, corrects what can be corrected, and writes the report.
    Leaves the warehouse in impact-demo.duckdb for you to query, the orders and the report beside it.
    """
    from .demo import run  # noqa: PLC0415 - help is instant

    return run()

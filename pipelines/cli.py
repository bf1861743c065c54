"""The `impact` command. Each verb imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import signal
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:  # help is instant
    from collections.abc import Callable
    from datetime import datetime
    from decimal import Decimal

_INSTANT = "ISO 8601 instant or date, UTC unless it says otherwise"


class _Group(click.Group):
    """Shows the verbs in the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the verb; an interrupt before it has begun ends it as one amid it does."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            from pipelines.failures import interrupted  # noqa: PLC0415 - help is instant

            sys.exit(interrupted(error))


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Start with no account:  impact demo
With an account:        impact check, then impact sync

\b
Credentials: SOURCES__IMPACT__ACCOUNT_SID and SOURCES__IMPACT__AUTH_TOKEN in the environment,
or .dlt/secrets.toml. The warehouse is impact.duckdb here, or what DESTINATION__DUCKDB__CREDENTIALS names.

\b
Exit codes: 0 done; 1 rejected records, drift, or a correction that is not as it was asked for;
2 something for you to mend; 3 stopped early, run again;
4 the API, the warehouse or this program failed; 5 the warehouse is in use; 130, 143 interrupted.""",
)
@click.version_option(package_name="impact-sync")
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
    signal.signal(signal.SIGTERM, _terminated)
    # A shell starts background jobs with SIGINT ignored; whoever sends one all the same means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from pipelines.logs import configure  # noqa: PLC0415 - help is instant

    configure(verbose, json=log_format == "json")


def _terminated(number: int, _: object) -> NoReturn:
    """End as an interrupt does, cleanly and with a word; the number tells the exit code."""
    error = KeyboardInterrupt()
    error.signal_code = number  # type: ignore[attr-defined]
    raise error


def _instant(_: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    from sources.impact.settings import parse_instant  # noqa: PLC0415 - help is instant

    try:
        return parse_instant(text)
    except ValueError as error:
        msg = f"{text!r} is not an {_INSTANT}"
        raise click.BadParameter(msg, param=parameter) from error


def _money(_: click.Context, parameter: click.Parameter, text: str | None) -> Decimal | None:
    if text is None:
        return None
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415 - help is instant

    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        msg = f"{text!r} is no amount such as 250 or 99.50"
        raise click.BadParameter(msg, param=parameter)
    return amount


def _verb(command: Callable[..., int]) -> Callable[..., None]:
    """Run a verb: its exit code, or one line that says what went wrong and what to do."""

    @wraps(command)
    def run(**options: Any) -> None:  # noqa: ANN401 - whatever the verb takes
        from pipelines.failures import guarded  # noqa: PLC0415 - help is instant

        def tuned() -> int:
            from pipelines.allocator import tune  # noqa: PLC0415 - help is instant

            tune()
            return command(**options)

        sys.exit(guarded(tuned))

    return run


@main.command()
@_verb
def check() -> int:
    """Try the credentials and say what to mend.

    Asks for the campaigns, for actions and for items, and shows the scopes the token has, the requests left in this
    hour and how far this machine's clock is off. Writes nothing.
    """
    from pipelines.check import run  # noqa: PLC0415 - help is instant

    return run()


@main.command()
@click.option("--campaign", "campaigns", multiple=True, metavar="ID", help="Only this campaign; repeat for more.")
@click.option(
    "--since",
    callback=_instant,
    metavar="T",
    help=f"Read from here instead of the cursors ({_INSTANT}). Before a cursor it re-reads; after it, it moves none.",
)
@click.option("--until", callback=_instant, metavar="T", help=f"Read up to here instead of now ({_INSTANT}).")
@click.option(
    "--items/--no-items",
    default=None,
    help="Read items with the requests that the hour leaves, or none; default: as items_max_requests says.",
)
@click.option("--dry-run", is_flag=True, help="Print windows, requests and the time it would take; load nothing.")
@_verb
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
    from pipelines.show_sync import run, run_dry  # noqa: PLC0415 - help is instant

    return (run_dry if dry_run else run)(campaigns, since, until, items=items)


@main.command()
@click.option("--max-requests", type=click.IntRange(min=0), metavar="N", help="Send at most so many requests.")
@_verb
def items(max_requests: int | None) -> int:
    """Read the items of all actions that wait for it.

    One request an action is the price, so they are a queue: changed and still open actions first, then new ones, then
    locked ones; of each the largest first. Leaves a tenth of the hour's requests to others, waits for the hour to turn
    if max_wait allows, else exits 3: run again. Interrupted at any point, hardly anything is asked for twice.
    """
    from pipelines.show_items import run  # noqa: PLC0415 - help is instant

    return run(max_requests)


@main.command()
@click.option("--campaign", "campaigns", multiple=True, metavar="ID", help="Only this campaign; repeat for more.")
@click.option(
    "--since",
    callback=_instant,
    metavar="T",
    help=f"Verify events from here on ({_INSTANT}); by default as far back as the API goes.",
)
@click.option("--until", callback=_instant, metavar="T", help=f"Verify events up to here ({_INSTANT}); default now.")
@click.option("--repair", is_flag=True, help="Mend what is missing or stale; acknowledge what is gone at the source.")
@_verb
def verify(campaigns: tuple[str, ...], since: datetime | None, until: datetime | None, *, repair: bool) -> int:
    """Prove that the warehouse is what the API says.

    Reads every action once more, along the event date, which no sync walks along, and compares all columns. What
    changed since the last sync is shown and is no drift. Exits 1 if anything else differs, with the actions named;
    with --repair mends it. Actions that are gone at the source are flagged, never deleted.
    """
    from pipelines.show_verify import run  # noqa: PLC0415 - help is instant

    return run(campaigns, since, until, repair=repair)


@main.command()
@click.argument("action_id")
@click.option("--sku", help="Only this item, asked for by itself.")
@_verb
def show(action_id: str, sku: str | None) -> int:
    """Show one action and its items, live beside the warehouse, and say whether they agree.

    Asks the API for the action and its items and writes nothing. Exits 1 if anything differs, 2 if neither the API nor
    the warehouse knows the action.
    """
    from pipelines.show_action import run  # noqa: PLC0415 - help is instant

    return run(action_id, sku)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@_verb
def status(*, as_json: bool) -> int:
    """Show cursors, freshness, items, rejected records and the last runs. Reads the warehouse only."""
    from pipelines.status import run  # noqa: PLC0415 - help is instant

    return run(as_json=as_json)


@main.group(cls=_Group)
def corrections() -> None:
    """Send corrections from your own database to impact.com, each once: plan, apply, status, resolve.

    Returns, fraud and changed orders reach impact.com before the locking date. A plan sends nothing; applying it sends
    each call once and follows it until the action shows what was asked. The table `corrections` is the journal: who,
    when, what, why, and what was answered.
    """


@corrections.command()
@click.argument("file", required=False, metavar="[FILE.csv | FILE.parquet]")
@click.option("--sql", metavar="SELECT", help="Take the corrections from this query in the warehouse, not from a file.")
@click.option("--skip-invalid", is_flag=True, help="Plan what can be sent; leave out the lines that cannot.")
@_verb
def plan(file: str | None, sql: str | None, *, skip_invalid: bool) -> int:
    """Check what is asked for, show old and new and the money it moves, and store it. Sends nothing.

    Columns, in any order, as in pipelines/corrections/example.csv; an empty cell asks for nothing:

    \b
    action_id          the action; or action_tracker_id and order_id
    kind               update or reverse
    reason             reason code of an update, disposition code of a reversal
    amount             new total of the order; beside a sku, of the item
    sku                the item that is meant; lines of one action leave as one call
    quantity           new quantity of the item
    delta              what is added to the item's amount (below 0: taken off)
    category           new category of the item
    customer_status    new customer status of the action
    currency           checked against the action's
    disposition_code   beside an update's reason, where the account has some
    note               why: kept in the journal

    The reason RESET undoes every earlier change of an action, a reversal included, and takes no values. An amount of 0
    reverses. CSV is UTF-8, parted by comma, semicolon or tab, with decimal points or commas; 1,234 may be either and
    is refused. Lines that cannot be sent are listed with the reason, and nothing is stored unless --skip-invalid.
    """  # noqa: D301 - click's mark for lines to be left as they are
    from pipelines.corrections.show import run_plan  # noqa: PLC0415 - help is instant

    return run_plan(file, sql, skip_invalid=skip_invalid)


@corrections.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--yes", is_flag=True, help="Send without asking.")
@click.option(
    "--limit-amount",
    callback=_money,
    metavar="AMOUNT",
    help="Stop before the plan touches more commission than this, in the account's currency.",
)
@_verb
def apply(plan_id: str, limit_amount: Decimal | None, *, yes: bool) -> int:
    """Send a plan, each call once, and follow it until the actions show what was asked.

    Asks first. An action that is no longer what the plan saw is left out. Each call is in the journal, and in a file
    beside the database, before it leaves; one whose answer is lost is unknown and is never sent again by itself.
    Processed calls are read back into the warehouse and compared. Exits 3 when the hour's requests are spent or calls
    are still being processed: run it again. Exits 1 if anything was refused, diverged, left out or is unknown.
    """
    from pipelines.corrections.show import run_apply  # noqa: PLC0415 - help is instant

    return run_apply(plan_id, limit_amount, yes=yes)


@corrections.command("status")
@click.argument("plan_id", required=False, metavar="[PLAN]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@_verb
def corrections_status(plan_id: str | None, *, as_json: bool) -> int:
    """Show all plans, or every correction of one. Reads the warehouse only.

    With PLAN, exits as apply would: 0 all confirmed, 1 something is not as it was asked for, 3 work is left.
    """
    from pipelines.corrections.show import run_status  # noqa: PLC0415 - help is instant

    return run_status(plan_id, as_json=as_json)


@corrections.command()
@click.argument("plan_id", required=False, metavar="[PLAN]")
@click.option("--line", "lines", type=int, multiple=True, metavar="N", help="Only the call with this line; repeat.")
@click.option(
    "--as",
    "verdict",
    type=click.Choice(["confirmed", "refused", "planned"]),
    help="Your word: it took effect; it did not and shall not; it did not and apply may send it again.",
)
@click.option("--note", default="", metavar="TEXT", help="How you know: kept in the journal.")
@click.option("--from-file", is_flag=True, help="Take over what the file beside the database knows and it does not.")
@click.option("--yes", is_flag=True, help="Have calls sent again without asking.")
@_verb
def resolve(  # noqa: PLR0913 - one for each option
    plan_id: str | None, lines: tuple[int, ...], verdict: str | None, note: str, *, from_file: bool, yes: bool
) -> int:
    """Settle calls whose answer was lost, or that were turned away, by your word.

    Without --as it looks at the actions once more, settles what they tell, and lists what still waits beside what
    the action shows now. --from-file is for a database that was put back to an older copy.
    """
    from pipelines.corrections.show import run_resolve  # noqa: PLC0415 - help is instant

    return run_resolve(plan_id, lines, verdict, note, from_file=from_file, yes=yes)


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
@_verb
def sandbox(port: int, days: int, per_day: int, seed: int, faults: float) -> int:
    """Serve an account that behaves like impact.com's, on this machine, until interrupted.

    Prints the settings to sync from it. Its clock can be moved: POST {"advance_days": 30} to /sandbox/clock. With
    --faults it limits, fails, resets, cuts, drips and hangs; at the end it counts what it threw.
    """
    from pipelines.sandbox import run  # noqa: PLC0415 - help is instant

    return run(port, days, per_day, seed, faults)


@main.command()
@_verb
def demo() -> int:
    """Sync a sandbox account, let a month pass, sync again, and show what changed. Needs no account.

    Leaves the warehouse in impact-demo.duckdb for you to query.
    """
    from pipelines.demo import run  # noqa: PLC0415 - help is instant

    return run()

"""`impact corrections` and its verbs. Each imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..console.verbs import Group, verb

if TYPE_CHECKING:  # help is instant
    from decimal import Decimal


def _money(_: click.Context, parameter: click.Parameter, text: str | None) -> Decimal | None:
    if text is None:
        return None
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415 - help is instant

    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        msg = f"{text!r} is not an amount such as 250 or 99.50"
        raise click.BadParameter(msg, param=parameter)
    return amount


@click.group(cls=Group)
def corrections() -> None:
    """Send corrections from your own database to impact.com, each once: plan, apply, status, resolve.

    Returns, fraud and changed orders reach impact.com before the locking date. A plan sends nothing; applying it sends
    each call once and follows it until the action shows what was requested. The table `corrections` is the journal:
    who, when, what, why, and what was answered.
    """


@corrections.command()
@click.argument("file", required=False, metavar="[FILE.csv | FILE.parquet]")
@click.option("--sql", metavar="SELECT", help="Take the corrections from this query in the warehouse, not from a file.")
@click.option("--skip-invalid", is_flag=True, help="Plan what can be sent; leave out the lines that cannot.")
@verb
def plan(file: str | None, sql: str | None, *, skip_invalid: bool) -> int:
    """Check the requested corrections, show old and new values and the money they move, store them. Sends nothing.

    Columns, in any order, as in pipelines/impact_sync/corrections/plan/example.csv; an empty cell requests nothing:

    \b
    action_id          the action; or action_tracker_id and order_id
    kind               update or reverse
    reason             reason code of an update, disposition code of a reversal
    amount             new total of the order; beside a sku, of the item
    sku                the item; lines of one action are sent as one call
    quantity           new quantity of the item
    delta              what to add to the item's amount (below 0: subtract)
    category           new category of the item
    customer_status    new customer status of the action
    currency           checked against the action's
    disposition_code   beside an update's reason, where the account has some
    note               why: kept in the journal

    The reason RESET undoes every earlier change of an action, a reversal included, and takes no values. An amount of 0
    reverses. CSV is UTF-8, separated by comma, semicolon or tab, with decimal points or commas; 1,234 may be either and
    is refused. Lines that cannot be sent are listed with the reason, and nothing is stored unless --skip-invalid.
    """  # noqa: D301 - click's mark for lines to be left as they are
    from .show import run_plan  # noqa: PLC0415 - help is instant

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
@verb
def apply(plan_id: str, limit_amount: Decimal | None, *, yes: bool) -> int:
    """Send a plan, each call once, and follow it until the actions show what was asked.

    Asks first. An action that is no longer what the plan saw is left out. Each call is in the journal, and in a file
    beside the database, before it leaves; one whose answer is lost is unknown and is never sent again by itself.
    Processed calls are read back into the warehouse and compared. Exits 3 when the hourly limit is reached or calls
    are still being processed: run it again. Exits 1 if anything was refused, diverged, left out or is unknown.
    """
    from .show import run_apply  # noqa: PLC0415 - help is instant

    return run_apply(plan_id, limit_amount, yes=yes)


@corrections.command("status")
@click.argument("plan_id", required=False, metavar="[PLAN]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@verb
def corrections_status(plan_id: str | None, *, as_json: bool) -> int:
    """Show all plans, or every correction of one. Reads the warehouse only.

    With PLAN, exits as apply would: 0 all confirmed, 1 something is not as requested, 3 work is left.
    """
    from .show import run_status  # noqa: PLC0415 - help is instant

    return run_status(plan_id, as_json=as_json)


@corrections.command()
@click.argument("plan_id", required=False, metavar="[PLAN]")
@click.option("--line", "lines", type=int, multiple=True, metavar="N", help="Only the call with this line; repeat.")
@click.option(
    "--as",
    "verdict",
    type=click.Choice(["confirmed", "refused", "planned"]),
    help="Your decision: it took effect; it did not and must not be sent; it did not and apply may send it again.",
)
@click.option("--note", default="", metavar="TEXT", help="How you know: kept in the journal.")
@click.option(
    "--from-file", is_flag=True, help="Restore what the file beside the database knows and the database does not."
)
@click.option(
    "--to-file", is_flag=True, help="Write the file beside the database again from the database: it is lost for good."
)
@click.option(
    "--yes", is_flag=True, help="Do not ask before calls are released to be sent again, or the file is written."
)
@verb
def resolve(  # noqa: PLR0913 - one for each option
    plan_id: str | None,
    lines: tuple[int, ...],
    verdict: str | None,
    note: str,
    *,
    from_file: bool,
    to_file: bool,
    yes: bool,
) -> int:
    """Settle calls whose answer was lost, or that were rejected, by your decision.

    Without --as it looks at the actions once more, settles what they prove, and lists what still waits beside what
    the action shows now. --from-file is for a database that was restored to an older copy. --to-file is for one whose
    file is lost: not if it was moved, or if corrections are sent from another copy, which would then be sent twice.
    """
    from .show_resolve import run_resolve  # noqa: PLC0415 - help is instant

    return run_resolve(plan_id, lines, verdict, note, from_file=from_file, to_file=to_file, yes=yes)

"""Corrections on the screen: old and new values side by side, the money they move, what became of them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from impact_source import Settings
from impact_source.errors import ConfigurationError

from ..console.exits import Exit
from ..console.failures import complain, say, show_unread
from ..console.screen import Step, console, progress, table
from .apply.run import Applied, apply
from .apply.sending import CallProgress
from .asking import agreed
from .journal.columns import WAITING, Correction, Status
from .plan.run import Plan, Source, plan
from .plan.validate import UNUSUAL
from .status import Found, status, waiting
from .tables import MOST, changes, minute, money, more, moves, unusual


def run_plan(file: str | None, sql: str | None, *, skip_invalid: bool) -> int:
    """Plan, show what it would do, return the exit code."""
    if (file is None) == (sql is None):
        msg = "give either FILE or --sql"
        raise ConfigurationError(msg)
    source = Source(Path(file) if file else None, sql)
    found = plan(Settings.resolve(), source, skip_invalid=skip_invalid)
    return show_plan(found)


def show_plan(found: Plan) -> int:
    """Print a plan, or why there is none."""
    out = console()
    if found.calls:
        out.print(changes("Would change", found.calls))
        out.print(money(found.rows, len(found.calls)))
    if found.unusual:
        out.print(unusual(found.unusual))
        say(
            f"unusual amounts: {len(found.unusual):,}. Each is more than {UNUSUAL} times what was there, or more than "
            "any action of its campaign has or had. Check them before you send the plan"
        )
    if found.invalid:
        bad = table("Cannot be sent", "line", "action", "why", numbers=("line",), texts=("why",))
        for one in found.invalid[:MOST]:
            bad.add_row(str(one.line), one.what, one.problem)
        out.print(bad)
        more(len(found.invalid) - MOST, "a plan with --skip-invalid leaves them out")
    if found.id is None:
        out.print(
            "No plan was stored. Fix the lines above"
            + (", or leave them out with --skip-invalid." if found.calls else ".")
        )
        return Exit.USAGE
    if found.invalid:
        out.print(f"Left out of the plan: {len(found.invalid):,}.")
    out.print(
        f"Plan {found.id}: {len(found.rows):,} corrections in {len(found.calls):,} calls, checked in "
        f"{found.seconds:.1f} s. Nothing was sent. To send it: impact corrections apply {found.id}",
        soft_wrap=True,
    )
    return Exit.DONE


def run_apply(plan_id: str, limit_amount: Decimal | None, *, yes: bool) -> int:
    """Confirm with the user, apply, show what became of it, return the exit code."""
    found = status(plan_id)
    if found.disagreement:
        raise ConfigurationError(found.disagreement)
    planned = [call for call in found.calls if call.status == Status.PLANNED]
    if planned and not yes:
        console().print(changes(f"Plan {plan_id}", planned))
        console().print(money([row for call in planned for row in call.rows], len(planned)))
        if not sys.stdin.isatty():
            msg = "standard input is not a terminal, so nobody can confirm: pass --yes to send these"
            raise ConfigurationError(msg)
        if not agreed("Send these to impact.com?"):
            console().print("Nothing was sent.")
            return Exit.EARLY
    with progress(_in_words) as on_progress:
        applied = apply(Settings.resolve(), plan_id, limit_amount=limit_amount, on_progress=on_progress)
    return show_applied(plan_id, applied)


def _in_words(step: CallProgress) -> Step:
    said = f"{step.settled:,} settled · {step.requests_left:,} requests left"
    return Step("corrections", "call", step.done, step.of, said)


def show_applied(plan_id: str, applied: Applied) -> int:
    """Print where a plan stands after an apply."""
    rows = [row for call in applied.calls for row in call.rows]
    _print_unsettled(plan_id, rows)
    console().print(f"Plan {plan_id}: {_counted(rows)}.")
    if applied.note:
        console().print(f"Stopped: {applied.note}.", soft_wrap=True)
    show_unread(applied.unread, 0)
    if applied.error is not None:
        complain(applied.error)
    if any(row.status in WAITING for row in rows):
        console().print(f"Some wait for your decision: impact corrections resolve {plan_id}")
    if applied.exit is Exit.EARLY:
        console().print(f"Work is left: run impact corrections apply {plan_id} again.")
    return applied.exit


def run_status(plan_id: str | None, *, as_json: bool) -> int:
    """Print what the journal says; the exit code is that of the plan, if one is named."""
    found = status(plan_id)
    if as_json:
        print(json.dumps(found.as_json(), indent=2, default=_plain))  # noqa: T201 - this is the output
    else:
        _show_status(found)
    return found.exit


def _print_unsettled(plan_id: str, rows: list[Correction]) -> None:
    done = (Status.CONFIRMED, Status.PLANNED)
    wrong = [row for row in rows if row.status not in done or (row.status == Status.PLANNED and row.outcome)]
    if not wrong:
        return
    told = table(
        "Not as requested, or not known yet",
        "line",
        "action",
        "item",
        "status",
        "outcome",
        numbers=("line",),
        texts=("outcome",),
    )
    for row in wrong[:MOST]:
        told.add_row(str(row.line), row.action_id, row.sku or "", row.status, row.outcome or "")
    console().print(told)
    more(len(wrong) - MOST, f"impact corrections status {plan_id}")


def _show_status(found: Found) -> None:
    out = console()
    if found.disagreement:
        out.print(f"{found.disagreement}.", soft_wrap=True)
    if not found.plans:
        out.print("No corrections were ever planned.")
        return
    plans = table(
        "Plans", "plan", "planned", "by", "from", "corrections", "commission", texts=("by", "from", "corrections")
    )
    for one in found.plans:
        moved = ", ".join(f"{value:+,.2f} {currency}".strip() for currency, value in sorted(one.moved.items()))
        plans.add_row(one.plan_id, minute(one.planned_at), one.actor, one.source, _list(one.counts), moved)
    out.print(plans)
    if found.calls:
        lines = table(
            "Corrections",
            "line",
            "action",
            "item",
            "change",
            "status",
            "outcome",
            numbers=("line",),
            texts=("change", "outcome"),
        )
        for call in found.calls:
            for row in call.rows:
                change = ", ".join(f"{what} {was} → {becomes}" for what, was, becomes in moves(row))
                cells = (row.action_id, row.sku or "", change, row.status, row.outcome or "")
                lines.add_row(str(row.line), *cells)
        out.print(lines)
    if number := waiting(found):
        out.print(f"Waiting for a decision: {number:,} (impact corrections resolve PLAN).")
    if found.file.exists() and not found.disagreement:
        out.print(f"What was sent is also in {found.file}", soft_wrap=True)


def _counted(rows: list[Correction]) -> str:
    return _list(Counter(str(row.status) for row in rows))


def _list(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{counts[name]:,} {name}" for name in map(str, Status) if counts.get(name))


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON does not know
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)

"""`impact close` as the user sees it: what was frozen, or why not; without a month, what is closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from impact_source.warehouse import Warehouse

from ..console.exits import Exit
from ..console.failures import say
from ..console.screen import console, table
from ..lake.command import afterwards
from ..warehouse.open import open_pipeline
from .columns import Line
from .run import Closed, NotReady, close, read_closes

_SHOWN = 50
_MONEY = ("accrued", "open", "locked", "paid")


def run(month: date | None, note: str | None, *, force: bool) -> int:
    """Close a month, or list those that are closed; return the exit code."""
    if month is None:
        return _list()
    try:
        closed = close(month, note, force=force)
    except NotReady as error:
        out = console()
        for reason in error.reasons:
            out.print(f"- {reason}")
        say(f"{month:%Y-%m} is not closed: see above; --force closes it nevertheless and keeps the reasons with it")
        return Exit.DRIFT
    _show(closed)
    return afterwards(Exit.DONE)


def _show(closed: Closed) -> None:
    one, out = closed.close, console()
    counts = ("actions", "reversed")
    rows = table(f"Closed {one.month:%Y-%m}", "partner", "currency", *counts, *_MONEY, numbers=(*counts, *_MONEY))
    for line in sorted(closed.lines, key=lambda line: -line.accrued)[:_SHOWN]:
        money = (f"{getattr(line, name):,.2f}" for name in _MONEY)
        name = line.media_partner_name or line.media_partner_id
        rows.add_row(name, line.currency, f"{line.actions:,}", f"{line.actions_reversed:,}", *money)
    if len(closed.lines) > _SHOWN:
        rows.caption = f"and {len(closed.lines) - _SHOWN:,} more in impact.close_lines"
    out.print(rows)
    if one.exceptions:
        out.print(f"Closed although: {one.exceptions}.")
    out.print(
        f"Accrued {_sums(closed.lines)} in {one.lines:,} lines, as known at {_minute(one.known_at)} UTC. "
        "These figures stay; impact.close_changes shows what moves from here on."
    )


def _list() -> Exit:
    with open_pipeline(read_only=True) as pipeline:
        warehouse = Warehouse(pipeline)
        found, moved = read_closes(warehouse), _moved(warehouse)
    columns = ("month", "closed", "known at", "accrued", "moved since", "lines", "note")
    rows = table("Closed months", *columns, numbers=("accrued", "moved since", "lines"), texts=("note",))
    for one in found:
        told, since = one.close, moved.get(one.close.month, {})
        moves = ", ".join(f"{amount:+,.2f} {currency}" for currency, amount in sorted(since.items()))
        instants = (f"{told.month:%Y-%m}", _minute(told.closed_at), _minute(told.known_at))
        rows.add_row(*instants, _sums(one.lines), moves, f"{told.lines:,}", told.note or "")
    console().print(rows if found else "No month is closed yet: `impact close 2026-01` closes one.")
    changed = [f"{one.close.month:%Y-%m}" for one in found if not one.is_intact]
    if changed:
        say(f"the lines of {', '.join(changed)} are not those that were closed: somebody changed impact.close_lines")
    return Exit.DRIFT if changed else Exit.DONE


def _moved(warehouse: Warehouse) -> dict[date, dict[str, Decimal]]:
    """What has moved since each month was closed, by currency; nothing if no history is kept."""
    found: dict[date, dict[str, Decimal]] = defaultdict(dict)
    if warehouse.holds("closes") and warehouse.holds("action_versions"):
        sql = "select month, currency, sum(payout_change) from close_changes group by month, currency"
        for month, currency, amount in warehouse.rows(sql):
            found[month][currency] = amount
    return found


def _sums(lines: Iterable[Line]) -> str:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.currency] += line.accrued
    return ", ".join(f"{amount:,.2f} {currency}".strip() for currency, amount in sorted(sums.items())) or "nothing"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"

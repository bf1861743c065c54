"""The change feed of manual edits: what an edit, and what follows from it, did to the items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .changes import Cause, Line, cause_of, compare_items
from .feed import LINES, UNSAID, select_rows
from .hands import Version
from .ledger import Ledger
from .life import SERIAL_SHIFT
from .records import Record, strings_json, typed_json
from .rules import Rules
from .times import later, parse_time, stored, wire_time
from .update_json import CONTRACT, OPEN, UPDATE_FIELDS, number_of

_TYPES = {
    **dict.fromkeys(("n", "serial", "kind", "place"), "BIGINT"),
    **dict.fromkeys(("updated", "shown_from", "event", "locking"), "TIMESTAMP"),
    **dict.fromkeys(("removed", "changed"), "BOOLEAN"),
    **dict.fromkeys(("amount", "payout"), "DECIMAL(38, 18)"),
}
"""The types of those LINES that are not text."""
_COLUMNS = {"Disposition": "disposition", "Category": "category", "Sku": "sku", "Quantity": "quantity"}


@dataclass(frozen=True)
class Edit:
    """What an edit made of action `n`: its versions from now on, the first of which has `kind`.

    `state` and `had` are its state and items before (None and empty for a new action), `has` its items since. Without a
    `reason` the edit itself changed nothing but the state.
    """

    n: int
    kind: int
    versions: Sequence[Version]
    state: str | None
    had: Sequence[Record]
    has: Sequence[Record]
    reason: str | None


def record_edit(ledger: Ledger, rules: Rules, edit: Edit) -> None:
    """Record in the feed what an edit did, and what will follow for the action."""
    state, had, reason = edit.state, edit.had, edit.reason
    clear_after = timedelta(seconds=ledger.clear_after(edit.n))
    for kind, version in enumerate(edit.versions, start=edit.kind):
        cause = cause_of(state, version.record["State"], edited=reason is not None)
        if cause and (cause != "approved" or rules.feed_approvals):
            lines = compare_items(had, edit.has, cause)
            _write(ledger, rules, _Change(edit.n, kind, version, cause, reason or UNSAID, clear_after), lines)
        state, had, reason = version.record["State"], edit.has, None


@dataclass(frozen=True)
class _Change:
    n: int
    kind: int
    version: Version
    cause: Cause
    disposition: str
    clear_after: timedelta

    @property
    def recorded(self) -> datetime:
        """When the change counts as recorded: for a conversion its creation, even if it was entered later."""
        return self.version.updated if self.cause == "tracked" else self.version.at


def _write(ledger: Ledger, rules: Rules, change: _Change, lines: Sequence[Line]) -> None:
    if not lines:
        return
    given = [value for place, line in enumerate(lines) for value in _values(change, place, line)]
    columns = [f"TRY_CAST({name} AS {_TYPES.get(name, 'VARCHAR')})" for name in LINES]
    values = ", ".join([f"({', '.join('?' * len(LINES))})"] * len(lines))
    query = f"SELECT {', '.join(columns)} FROM (VALUES {values}) AS given({', '.join(LINES)})"
    selected = ledger.connection.execute(select_rows(query, rules), given)
    names = [column[0] for column in selected.description or ()]
    for found in selected.fetchall():
        row = dict(zip(names, found, strict=True))
        record = _record(change, row)
        row |= {"record": strings_json(record), "typed": typed_json(record)}
        ledger.connection.execute(f"INSERT INTO updates VALUES ({', '.join('?' * len(row))})", list(row.values()))


def _values(change: _Change, place: int, line: Line) -> tuple[object, ...]:
    """Return what a change did to an item, in the order of LINES."""
    version, record = change.version, change.version.record
    dates = (parse_time(record.get(name, "")) for name in ("EventDate", "LockingDate"))
    return (
        *(change.n, change.n >> SERIAL_SHIFT, change.kind, place),
        *(stored(change.recorded), stored(version.shown_from), record.get("State", ""), *map(stored, dates)),
        *(change.cause, change.disposition, line.sku, line.category, line.quantity, line.quantity_was),
        *(line.removed, line.changed, str(line.amount), str(line.payout)),
    )


def _record(change: _Change, row: Mapping[str, Any]) -> Record:
    """Return the record of a row of the feed, with the money of that row."""
    action = change.version.record
    lock = parse_time(action.get("LockingDate", ""))
    number = number_of(row["kind"], row["place"])
    same = {field.name: action.get(field.recorded, "") for field in UPDATE_FIELDS}
    return same | {
        "Id": f"{action['Id']}.{number}",
        "StateDetailDescription": "" if lock else OPEN,
        **{name: str(row[column] or "") for name, column in _COLUMNS.items()},
        "DeltaAmount": _money(row["delta_amount"]),
        "DeltaPayout": _money(row["delta_payout"]),
        "PayoutLevel": "ITEM",
        "DefaultPayoutRate": "2",
        "ContractId": f"{CONTRACT}{action.get('MediaPartnerId', '')}",
        "UpdateDate": wire_time(change.recorded),
        "ClearingDate": wire_time(later(lock, change.clear_after)) if lock else "",
        "Uri": f"{action['Uri'].replace('/Actions/', '/ActionUpdates/')}.{number}",
    }


def _money(text: str) -> str:
    """Write an amount with as many decimals as it needs, at least two."""
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"

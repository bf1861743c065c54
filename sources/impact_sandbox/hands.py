"""Writes to the ledger by hand: an action's versions and items from an instant on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .ledger import Ledger
from .life import SERIAL_SHIFT
from .records import Record, strings_json, typed_json
from .times import NEVER, parse_time, sql_time, stored

HAND_NUMBER = 90_000_000_000
"""Actions created by hand are numbered from here, beyond all generated ones."""


@dataclass(frozen=True)
class Version:
    """From `at` on, an action reads `record`, which the API shows from `shown_from`."""

    at: datetime
    shown_from: datetime
    updated: datetime
    record: Record


def create_action(ledger: Ledger, serial: int, action_id: str, number: int, clear_after: int) -> int:
    """Make room for an action without versions and return its row number."""
    n = (serial << SERIAL_SHIFT) + HAND_NUMBER + number
    ledger.connection.execute(
        "INSERT INTO actions (n, serial, id, clear_after) VALUES (?, ?, ?, ?)", [n, serial, action_id, clear_after]
    )
    ledger.by_hand[action_id] = n
    return n


def forget_future(ledger: Ledger, n: int, now: datetime) -> None:
    """Drop the generated future of an action and its items after an instant."""
    at, never = sql_time(now), sql_time(NEVER)
    for table in ("versions", "items"):
        ledger.connection.execute(f"DELETE FROM {table} WHERE n = {n} AND begun > {at}")
        ledger.connection.execute(
            f"UPDATE {table} SET ended = {never}, shown_to = {never} WHERE n = {n} AND ended > {at}"
        )
    ledger.connection.execute(
        f"DELETE FROM updates WHERE n = {n} AND kind NOT IN (SELECT kind FROM versions WHERE n = {n})"
    )


def remove_action(ledger: Ledger, n: int, now: datetime) -> None:
    """End an action and its items: the API no longer knows them."""
    forget_future(ledger, n, now)
    at = sql_time(now)
    for table in ("versions", "items"):
        ledger.connection.execute(f"UPDATE {table} SET ended = {at}, shown_to = {at} WHERE n = {n} AND shown_to > {at}")
    ledger.connection.execute(f"UPDATE updates SET shown_to = {at} WHERE n = {n}")


def write_versions(ledger: Ledger, n: int, versions: Sequence[Version]) -> int:
    """Continue an action whose future was dropped, and return the kind of the first of these versions."""
    first = ledger.count(f"SELECT coalesce(max(kind), 0) + 1 FROM versions WHERE n = {n}")
    for kind, version in enumerate(versions, start=first):
        row = (n, n >> SERIAL_SHIFT, kind, *_columns(version))
        ledger.connection.execute(
            "INSERT INTO versions (n, serial, kind, begun, shown_from, updated, state, event, created, locking, "
            f"cleared, record, typed) VALUES ({', '.join('?' * len(row))})",
            row,
        )
    ledger.connection.execute(_RELINK.format(n=n, never=sql_time(NEVER)))
    return first


_RELINK = """
WITH raised AS (
    SELECT rowid AS row, begun, kind, max(shown_from) OVER (ORDER BY begun, kind ROWS UNBOUNDED PRECEDING) AS shown_from
    FROM versions WHERE n = {n}
), linked AS (
    SELECT row, shown_from, lead(begun, 1, {never}) OVER life AS ended,
        lead(shown_from, 1, {never}) OVER life AS shown_to
    FROM raised WINDOW life AS (ORDER BY begun, kind)
)
UPDATE versions SET ended = linked.ended, shown_from = linked.shown_from, shown_to = linked.shown_to
FROM linked WHERE versions.rowid = linked.row AND versions.n = {n}
"""


def _columns(version: Version) -> tuple[object, ...]:
    record = version.record
    dates = (parse_time(record.get(name, "")) for name in ("EventDate", "CreationDate", "LockingDate", "ClearedDate"))
    return (
        stored(version.at),
        stored(version.shown_from),
        stored(version.updated),
        record.get("State", ""),
        *map(stored, dates),
        strings_json(record),
        typed_json(record),
    )


def write_items(ledger: Ledger, n: int, items: Sequence[Record], at: datetime, shown_from: datetime) -> None:
    """Replace the items of an action whose future was dropped."""
    ledger.connection.execute(
        f"UPDATE items SET ended = {sql_time(at)}, shown_to = greatest(shown_from, {sql_time(shown_from)}) "
        f"WHERE n = {n} AND ended > {sql_time(at)}"
    )
    for line, record in enumerate(items):
        ledger.connection.execute(
            "INSERT INTO items (n, line, begun, ended, shown_from, shown_to, record) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [n, line, stored(at), stored(NEVER), stored(shown_from), stored(NEVER), strings_json(record)],
        )

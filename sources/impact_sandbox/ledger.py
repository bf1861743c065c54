"""The ledger: every action's versions and items at any time, in an in-memory database."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from . import life
from .drafts import shared_day
from .records import Record, read_record
from .render import ITEM_TABLES, action_json, action_strings, action_tables, generated_item_strings, item_strings
from .rules import Campaign, Rules
from .schema import create_tables
from .times import NEVER, sql_time, to_utc

_NUMBER = re.compile("[0-9]{1,12}")


def shown_at(alias: str, now: datetime) -> str:
    """Return the SQL condition for what the API shows at an instant."""
    return f"{alias}.shown_from <= {sql_time(now)} AND {alias}.shown_to > {sql_time(now)}"


def true_at(alias: str, now: datetime) -> str:
    """Return the SQL condition for what is true at an instant, shown or not yet."""
    return f"{alias}.begun <= {sql_time(now)} AND {alias}.ended > {sql_time(now)}"


class Ledger:
    """Actions and items of some campaigns, as they were, are and will be."""

    def __init__(self, seed: int, account_sid: str) -> None:
        """Create an empty ledger."""
        # The other half of the cores is for whoever asks: more threads cost small worlds more than they save.
        self.connection = duckdb.connect(":memory:", config={"threads": max(1, (os.cpu_count() or 1) // 2)})
        create_tables(self.connection)
        self.connection.execute("INSERT INTO settings VALUES (?, ?)", [account_sid, seed])
        self._serials: dict[str, int] = {}
        self.by_hand: dict[str, int] = {}

    def close(self) -> None:
        """Free the ledger's memory."""
        self.connection.close()

    def add_campaign(self, campaign: Campaign, rules: Rules, rate: int, first_day: int) -> int:
        """Add a campaign of `rate` millionths of a conversion a day and return its serial number."""
        serial = len(self._serials)
        self._serials[campaign.id] = serial
        fee = "0.0250" if serial % 2 else "0"
        row: list[object] = [serial, campaign.id, campaign.name, campaign.state, rate, first_day]
        row += [shared_day(campaign, rules), rules.lock_days, fee]
        row += [to_utc(campaign.until or NEVER).replace(tzinfo=None)]
        self.connection.execute(f"INSERT INTO campaigns VALUES ({', '.join('?' * len(row))})", row)
        return serial

    def grow(self, rules: Rules, first_day: int, end_day: int, first_serial: int = 0) -> None:
        """Generate the conversions of some days (since 1970), for campaigns from a serial number on."""
        if not self.count(f"SELECT count(*) FROM campaigns WHERE rate > 0 AND serial >= {first_serial}"):
            return
        life.grow(self.connection, rules, first_day=first_day, end_day=end_day, first_serial=first_serial)

    def serial(self, campaign_id: str) -> int | None:
        """Find the serial number of a campaign."""
        return self._serials.get(campaign_id)

    def number(self, action_id: str) -> int | None:
        """Find the row number of an action by its Id."""
        if action_id in self.by_hand:
            return self.by_hand[action_id]
        campaign, _, rest = action_id.partition(".")
        digits = rest.rpartition(".")[2]
        if campaign not in self._serials or not _NUMBER.fullmatch(digits):
            return None
        n = (self._serials[campaign] << life.SERIAL_SHIFT) + int(digits)
        return n if self.count(f"SELECT count(*) FROM actions WHERE n = {n} AND id = ?", [action_id]) else None

    def count(self, sql: str, parameters: list[object] | None = None) -> int:
        """Run a query that returns one number."""
        row = self.connection.execute(sql, parameters).fetchone()
        return int(row[0]) if row else 0

    def text(self, sql: str) -> list[memoryview]:
        """Run a query for one column of strings; return them joined, in pieces that are not copied."""
        column = self.connection.execute(sql).to_arrow_table().column(0)
        return [piece for chunk in column.chunks for piece in _joined(chunk)]

    def shown_action(self, n: int, rules: Rules, now: datetime) -> str | None:
        """Return the record of an action that the API shows, in the wire format of the rules."""
        json = action_json(rules, now, typed=rules.wire == "typed")
        found = self.connection.execute(
            f"SELECT {json} {action_tables()} WHERE v.n = {n} AND {shown_at('v', now)}"
        ).fetchone()
        return str(found[0]) if found else None

    def true_action(self, n: int, now: datetime) -> tuple[Record, datetime] | None:
        """Return an action's true record and last-updated date, shown or not."""
        condition = f"v.n = {n} AND {true_at('v', now)}"
        found = self.connection.execute(f"SELECT record, updated FROM versions v WHERE {condition}").fetchone()
        if found and found[0] is None:  # a generated one; rendering takes ten times as long
            json = action_json(Rules(), now, typed=False)
            found = self.connection.execute(f"SELECT {json}, v.updated {action_tables()} WHERE {condition}").fetchone()
        return (read_record(found[0]), found[1].replace(tzinfo=UTC)) if found else None

    def begun(self, n: int, now: datetime) -> datetime:
        """Return when the version of an action at an instant began."""
        found = self.connection.execute(
            f"SELECT begun FROM versions v WHERE v.n = {n} AND {true_at('v', now)}"
        ).fetchone()
        if found is None:
            raise KeyError(n)
        begun: datetime = found[0].replace(tzinfo=UTC)
        return begun

    def first_begun(self, n: int) -> datetime:
        """Return when an action began."""
        found = self.connection.execute(f"SELECT min(begun) FROM versions WHERE n = {n}").fetchone()
        if found is None or found[0] is None:
            raise KeyError(n)
        begun: datetime = found[0].replace(tzinfo=UTC)
        return begun

    def ids_of_order(self, tracker_id: str, order_id: str, now: datetime) -> list[str]:
        """Find the Ids of an event type's actions for an order, shown or not, the newest first."""
        found = self.connection.execute(
            f"SELECT a.id FROM versions v JOIN actions a ON a.n = v.n WHERE {true_at('v', now)} "
            "AND coalesce(v.record->>'$.ActionTrackerId', a.tracker_id) = ? "
            "AND coalesce(v.record->>'$.Oid', a.oid) = ? ORDER BY v.created DESC, v.n DESC",
            [tracker_id, order_id],
        ).fetchall()
        return [action_id for (action_id,) in found]

    def clear_after(self, n: int) -> int:
        """Return the seconds from an action's locking to its clearing."""
        return self.count(f"SELECT clear_after FROM actions WHERE n = {n}")

    def shown_items(self, n: int, now: datetime) -> list[Record]:
        """Return the items of an action that the API shows, in the order they were recorded."""
        return self._items(f"i.n = {n} AND {shown_at('i', now)}")

    def true_items(self, n: int, now: datetime) -> list[Record]:
        """Return the true items of an action, shown or not."""
        return self._items(f"i.n = {n} AND {true_at('i', now)}")

    def _items(self, condition: str) -> list[Record]:
        by_hand = self.connection.execute(f"SELECT record FROM items i WHERE {condition} ORDER BY line").fetchall()
        if all(record for (record,) in by_hand):
            return [read_record(record) for (record,) in by_hand]
        cursor = self.connection.execute(
            f"SELECT i.record, {generated_item_strings()} {ITEM_TABLES} WHERE {condition} ORDER BY i.line"
        )
        names = [column[0] for column in cursor.description or ()][1:]
        return [
            read_record(record) if record else dict(zip(names, values, strict=True))
            for record, *values in cursor.fetchall()
        ]

    def action_table(self, rules: Rules, now: datetime, condition: str) -> pa.Table:
        """Return shown actions as columns of raw strings, newest created first."""
        return self.connection.execute(
            f"SELECT {action_strings(rules, now, self._extras('versions'))} {action_tables()} "
            f"WHERE {shown_at('v', now)} AND {condition} ORDER BY v.created DESC, v.n DESC"
        ).to_arrow_table()

    def item_table(self, now: datetime, condition: str) -> pa.Table:
        """Return shown items as columns of raw strings, with the Id of their action."""
        return self.connection.execute(
            f'SELECT a.id AS "ActionId", {item_strings(self._extras("items"))} {ITEM_TABLES} '
            f"WHERE {shown_at('i', now)} AND {condition} ORDER BY i.n, i.line"
        ).to_arrow_table()

    def _extras(self, table: str) -> list[str]:
        """Return the undocumented fields of manual records."""
        found = self.connection.execute(
            f"SELECT DISTINCT unnest(json_keys(record)) AS name FROM {table} WHERE record IS NOT NULL ORDER BY name"
        ).fetchall()
        return [name for (name,) in found]


def _joined(strings: pa.StringArray) -> Iterator[memoryview]:
    _, offsets, data = strings.buffers()
    if len(strings) and data is not None:
        places = memoryview(offsets).cast("i")
        yield memoryview(data)[places[strings.offset] : places[strings.offset + len(strings)]]

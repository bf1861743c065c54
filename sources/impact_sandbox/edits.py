"""Manual changes: what a person or the write API does to an action, and what happens next."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from . import hands
from .drafts import FIRST_SKU, new_action, new_item
from .feed import UNSAID
from .feed_by_hand import Edit, record_edit
from .hands import Version
from .ledger import Ledger
from .records import Record, amount, cents, deltas, spread
from .rules import Campaign, Rules
from .times import NEVER, later, parse_time, wire_time

CLEAR_AFTER = timedelta(days=21)
ORDER_UPDATE = "ORDER_UPDATE"
RESET = "RESET"


Held = tuple[Record, list[Record]]
"""An action and its items."""


@dataclass(frozen=True)
class Memory:
    """What edits must remember of actions beside the ledger.

    `before` keeps reversed actions as they were, for as long as they may be restored, `originals` what manual actions
    began with; `modifications` counts the writes that changed an action.
    """

    before: dict[str, Held] = field(default_factory=dict)
    originals: dict[str, Held] = field(default_factory=dict)
    modifications: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Editor:
    """Changes the actions of a ledger by hand at an instant.

    A change cancels the action's generated future, except that it locks and clears. `touches` says whether the
    last-updated date moves. Methods raise KeyError for an action or an item that does not exist.
    """

    ledger: Ledger
    rules: Rules
    now: datetime
    account_sid: str
    memory: Memory

    def create(
        self, number: int, campaign: Campaign, fields: Mapping[str, str], lines: Sequence[Mapping[str, str]] = ()
    ) -> str:
        """Record a conversion with the items given, or one item for its full amount, and return its Id."""
        action_id = fields.get("Id", f"{campaign.id}.4636.{hands.HAND_NUMBER + number}")
        created = parse_time(fields.get("CreationDate", "")) or self.now
        uri = f"/Advertisers/{self.account_sid}/Actions/{action_id}"
        items = [new_item(uri, line.get("Sku", FIRST_SKU), **line) for line in lines]
        sums = _sums(items) if items else {}
        record = new_action(campaign, self.rules, created, uri, {"Id": action_id, **sums, **fields})
        serial = self.ledger.serial(campaign.id)
        if serial is None:
            raise KeyError(campaign.id)
        n = hands.create_action(self.ledger, serial, action_id, number, int(CLEAR_AFTER.total_seconds()))
        items = items or [new_item(uri, FIRST_SKU, SaleAmount=record["Amount"], Payout=record["Payout"])]
        self._write(n, None, record, created, items, UNSAID, had=())
        self.memory.originals[action_id] = record, items
        return action_id

    def modify(self, action_id: str, fields: Mapping[str, str], *, touches: bool) -> None:
        """Set fields of an action; what depends on its amounts (deltas, cost, items) follows unless given."""
        n, old, updated = self._read(action_id)
        record = {**old, **deltas(old, fields), **_cost(old, fields), **fields}
        lock = parse_time(record["LockingDate"])
        if "State" not in fields and record["State"] == "PENDING" and lock and self._approval(lock) <= self.now:
            record["State"] = "APPROVED"
        items = self.ledger.true_items(n, self.now)
        changed = spread(items, record["Amount"], record["Payout"], self.adjusted(ORDER_UPDATE))
        now_has = changed if changed != items else None
        self._write(n, old, record, self.now if touches else updated, now_has, ORDER_UPDATE, had=items)

    def rewrite(
        self,
        action_id: str,
        fields: Mapping[str, str],
        items: Sequence[Record] | None,
        reason: str,
        *,
        touches: bool = True,
    ) -> None:
        """Set fields of an action, and its items unless None; deltas and cost follow."""
        n, old, updated = self._read(action_id)
        record = {**old, **deltas(old, fields), **_cost(old, fields), **fields}
        self._write(n, old, record, self.now if touches else updated, items, reason)

    def reverse(self, action_id: str, *, touches: bool, reason: str = "ITEM_RETURNED") -> None:
        """Reverse an action: it and its items no longer pay anything."""
        n, old, updated = self._read(action_id)
        items = self.ledger.true_items(n, self.now)
        self.memory.before[action_id] = old, items
        nothing = {"State": "REVERSED", "Amount": "0.00", "Payout": "0.00", "ClientCost": "0.0000"}
        lost = {"SaleAmount": "0.00", "Payout": "0.00", **self.adjusted(reason)}
        record = {**old, **nothing, **deltas(old, nothing)}
        gone = [{**item, **lost} for item in items]
        self._write(n, old, record, self.now if touches else updated, gone, reason, had=items)

    def restore(self, action_id: str, *, touches: bool) -> None:
        """Restore what a reversed action had before."""
        n, old, updated = self._read(action_id)
        before, items = self.memory.before[action_id] if action_id in self.memory.before else self._before_reversal(n)
        regained = {name: before[name] for name in ("Amount", "Payout", "ClientCost")}
        record = {**old, **regained, **deltas(old, regained), "State": "PENDING"}
        adjusted = self.adjusted(RESET)
        self._write(n, old, record, self.now if touches else updated, [{**item, **adjusted} for item in items], RESET)

    def approve(self, action_id: str) -> None:
        """Approve an action early; the last-updated date never moves."""
        n, old, updated = self._read(action_id)
        record = {**old, "State": "APPROVED"}
        if self.rules.early_approval_moves_lock:
            record["LockingDate"] = wire_time(self.now)
        self._write(n, old, record, updated, None, None)

    def set_item(self, action_id: str, sku: str, fields: Mapping[str, str], *, touches: bool) -> None:
        """Change the first item of a Sku, or add one; the action's amounts become the sums."""
        n, record, _ = self._read(action_id)
        items = self.ledger.true_items(n, self.now)
        place = next((place for place, item in enumerate(items) if item["Sku"] == sku), None)
        if place is None:
            items.append(new_item(record["Uri"], sku, **fields))
        else:
            items[place] = {**items[place], **self.adjusted(ORDER_UPDATE), **fields}
        self._sum_up(action_id, items, touches=touches)

    def remove_item(self, action_id: str, sku: str, *, touches: bool) -> None:
        """Take all items of a Sku off an action; the action's amounts become the sums of the rest."""
        items = self.ledger.true_items(self._read(action_id)[0], self.now)
        rest = [item for item in items if item["Sku"] != sku]
        if len(rest) == len(items):
            raise KeyError(sku)
        self._sum_up(action_id, rest, touches=touches)

    def remove(self, action_id: str) -> None:
        """Take an action out of the API altogether."""
        hands.remove_action(self.ledger, self._read(action_id)[0], self.now)

    def look(self, action_id: str) -> Held:
        """Return an action and its items as they are."""
        n, record, _ = self._read(action_id)
        return record, self.ledger.true_items(n, self.now)

    def original(self, action_id: str) -> Held:
        """Return an action and its items as they were recorded."""
        if action_id in self.memory.originals:
            return self.memory.originals[action_id]
        n, _, _ = self._read(action_id)
        return self._as_of(n, self.ledger.first_begun(n))

    def find(self, action_id: str | None, tracker_id: str | None, order_id: str | None) -> list[str]:
        """Find the actions that match every identifier given, an Id or an event type and an order; the newest first."""
        if action_id is None:
            return self.ledger.ids_of_order(tracker_id or "", order_id or "", self.now)
        try:
            _, record, _ = self._read(action_id)
        except KeyError:
            return []
        fits = tracker_id in {None, record["ActionTrackerId"]} and order_id in {None, record["Oid"]}
        return [action_id] if fits else []

    def _sum_up(self, action_id: str, items: list[Record], *, touches: bool) -> None:
        n, old, updated = self._read(action_id)
        record, sums = old, _sums(items)
        if any(amount(old[name]) != amount(value) for name, value in sums.items()):
            record = {**old, **deltas(old, sums), **_cost(old, sums), **sums}
        self._write(n, old, record, self.now if touches else updated, items, ORDER_UPDATE)

    def _read(self, action_id: str) -> tuple[int, Record, datetime]:
        n = self.ledger.number(action_id)
        found = None if n is None else self.ledger.true_action(n, self.now)
        if n is None or found is None:
            raise KeyError(action_id)
        return n, *found

    def _before_reversal(self, n: int) -> Held:
        return self._as_of(n, self.ledger.begun(n, self.now) - timedelta(seconds=1))

    def _as_of(self, n: int, at: datetime) -> Held:
        found = self.ledger.true_action(n, at)
        if found is None:
            raise KeyError(n)
        return found[0], self.ledger.true_items(n, at)

    def _write(  # noqa: PLR0913, PLR0917 - what an edit is made of
        self,
        n: int,
        old: Record | None,
        record: Record,
        updated: datetime,
        items: Sequence[Record] | None,
        reason: str | None,
        *,
        had: Sequence[Record] | None = None,
    ) -> None:
        """Change an action from `old`, None for a new one, and its items unless None.

        `had` are its items so far, which are read unless given. The feed records a modification only if it has a
        reason.
        """
        had = self.ledger.true_items(n, self.now) if had is None else had
        hands.forget_future(self.ledger, n, self.now)
        first = self._version(self.now, record, updated)
        versions = [first, *self._future(n, record, updated)]
        kind = hands.write_versions(self.ledger, n, versions)
        if items is not None:
            hands.write_items(self.ledger, n, items, self.now, first.shown_from)
        state, has = old["State"] if old else None, had if items is None else items
        record_edit(self.ledger, self.rules, Edit(n, kind, versions, state, had, has, reason))

    def _version(self, at: datetime, record: Record, updated: datetime) -> Version:
        lag = zlib.crc32(f"{record['Id']} {at}".encode()) % (self.rules.visibility_lag + 1)
        return Version(at, at + timedelta(seconds=lag), updated, record)

    def _future(self, n: int, record: Record, updated: datetime) -> list[Version]:
        """Approve a pending action at its locking date, and clear an approved one."""
        lock = parse_time(record["LockingDate"])
        versions = []
        if record["State"] == "PENDING" and lock and self._approval(lock) > self.now:
            record = {**record, "State": "APPROVED"}
            versions.append(self._version(self._approval(lock), record, updated))
        if record["State"] == "APPROVED" and not record["ClearedDate"]:
            begin = versions[-1].at if versions else lock or self.now
            clear = later(begin, timedelta(seconds=self.ledger.clear_after(n)))
            if self.now < clear < NEVER:
                cleared = {**record, "ClearedDate": wire_time(clear)}
                versions.append(self._version(clear, cleared, clear if self.rules.clearing_touches else updated))
        return versions

    def _approval(self, lock: datetime) -> datetime:
        return later(lock, timedelta(days=self.rules.approval_delay_days))

    def adjusted(self, reason: str) -> Record:
        """Return the fields that mark a changed item."""
        return {"AdjustmentDate": wire_time(self.now), "AdjustmentReason": reason}


def _sums(items: Sequence[Record]) -> Record:
    """Sum up the amounts of items."""
    summed = (("Amount", "SaleAmount"), ("Payout", "Payout"))
    return {name: cents(sum((amount(item[part]) or Decimal(0) for item in items), Decimal(0))) for name, part in summed}


def _cost(old: Record, fields: Mapping[str, str]) -> Record:
    """Return the cost to the brand, which follows the payout at its previous rate."""
    was, becomes = amount(old["Payout"]), amount(fields.get("Payout"))
    if was is None or becomes is None:
        return {}
    cost = amount(old["ClientCost"]) or Decimal(0)
    return {"ClientCost": f"{cost * becomes / was if was else becomes:.4f}"}

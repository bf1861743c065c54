"""Changes by hand: what a person or the write API does to an action, and what then becomes of it."""

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from sources.impact_sandbox import hands
from sources.impact_sandbox.fields import ACTION_FIELDS
from sources.impact_sandbox.hands import Version
from sources.impact_sandbox.ledger import Ledger
from sources.impact_sandbox.records import Record, amount, cents
from sources.impact_sandbox.rules import Campaign, Rules
from sources.impact_sandbox.times import locking_midnight, parse_time, wire_time

CLEAR_AFTER = timedelta(days=21)
NEW_ITEM = {
    "Sku": "12345",
    "ItemName": "Acme Tennis Balls (One Dozen)",
    "Category": "Sports",
    "Quantity": "1",
    "SaleAmount": "0.00",
    "SaleAmountCurrency": "USD",
    "Payout": "0.00",
    "PayoutCurrency": "USD",
    "Rebate": "0.00",
    "RebateCurrency": "USD",
    "AdjustmentDate": "",
    "AdjustmentReason": "",
    "Uri": "",
}
NEW_ACTION = {
    "ActionTrackerId": "2240",
    "ActionTrackerName": "Sale",
    "MediaPartnerId": "10000",
    "MediaPartnerName": "Acme Partner",
    "State": "PENDING",
    "AdId": "506720",
    "Payout": "0.88",
    "Amount": "21.99",
    "Currency": "USD",
    "ReferringType": "CLICK_COOKIE",
    "CustomerStatus": "NEW",
    "CustomerArea": "n/a",
    "CustomerPostCode": "02108",
    "CustomerCity": "Boston",
    "CustomerRegion": "Massachusetts",
    "CustomerCountry": "US",
}


class Editor:
    """Changes the actions of a ledger by hand.

    A change cancels what the future held for the action, except that it locks and clears.
    """

    def __init__(self, ledger: Ledger, account_sid: str) -> None:
        """Edit the ledger of an account."""
        self._ledger = ledger
        self._base = f"/Advertisers/{account_sid}/Actions/"
        self._before: dict[str, tuple[Record, list[Record]]] = {}

    def create(self, now: datetime, rules: Rules, number: int, campaign: Campaign, fields: Mapping[str, str]) -> str:
        """Record a conversion with one item worth it all and give its Id."""
        action_id = fields.get("Id", f"{campaign.id}.4636.{hands.HAND_NUMBER + number}")
        created = parse_time(fields.get("CreationDate", "")) or now
        shared = rules.shared_locking_day or (28 if campaign.locking == "shared_day" else None)
        given: Record = {**NEW_ACTION, **fields}
        paid, sold = given["Payout"], given["Amount"]
        cost = amount(paid)
        defaults = {
            "Id": action_id,
            "CampaignId": campaign.id,
            "CampaignName": campaign.name,
            "ClientCost": f"{cost:.4f}" if cost is not None else paid,
            **dict.fromkeys(("DeltaPayout", "IntendedPayout"), paid),
            **dict.fromkeys(("DeltaAmount", "IntendedAmount"), sold),
            "ReferringDate": wire_time(created - timedelta(hours=1)),
            "EventDate": wire_time(created - timedelta(minutes=5)),
            "CreationDate": wire_time(created),
            "LockingDate": wire_time(locking_midnight(created, days=rules.lock_days, shared_day=shared)),
            "Oid": f"9{number:012}",
            "Uri": self._base + action_id,
        }
        empty = {field.name: "" for field in ACTION_FIELDS}
        serial = self._ledger.serial(campaign.id)
        if serial is None:
            raise KeyError(campaign.id)
        n = hands.create_action(self._ledger, serial, action_id, number, int(CLEAR_AFTER.total_seconds()))
        item = {**NEW_ITEM, "SaleAmount": sold, "Payout": paid, "Uri": self._item_uri(action_id, NEW_ITEM["Sku"])}
        self._write(n, now, rules, {**empty, **defaults, **given}, created, [item])
        return action_id

    def modify(self, now: datetime, rules: Rules, action_id: str, fields: Mapping[str, str], *, touches: bool) -> None:
        """Set fields of an action; what follows from its amounts (deltas, cost, items) follows unless given."""
        n, old, updated = self._read(action_id, now)
        record = {**old, **fields}
        for name in ("Amount", "Payout"):
            was, becomes = amount(old[name]), amount(fields.get(name))
            if was is not None and becomes is not None:
                record[f"Delta{name}"] = fields.get(f"Delta{name}", str(becomes - was))
                if name == "Payout" and "ClientCost" not in fields:
                    cost = amount(old["ClientCost"]) or Decimal(0)
                    record["ClientCost"] = f"{cost * becomes / was if was else becomes:.4f}"
        lock = parse_time(record["LockingDate"])
        if "State" not in fields and record["State"] == "PENDING" and lock and self._approval(lock, rules) <= now:
            record["State"] = "APPROVED"
        items = self._ledger.true_items(n, now)
        spread = _spread(items, record["Amount"], record["Payout"], wire_time(now))
        self._write(n, now, rules, record, now if touches else updated, spread if spread != items else None)

    def reverse(self, now: datetime, rules: Rules, action_id: str, *, touches: bool) -> None:
        """Reverse an action: it and its items pay nothing any more."""
        n, old, updated = self._read(action_id, now)
        items = self._ledger.true_items(n, now)
        self._before[action_id] = old, items
        nothing = {"State": "REVERSED", "Amount": "0.00", "Payout": "0.00", "ClientCost": "0.0000"}
        record = {**old, **nothing, **_deltas(old, nothing)}
        adjusted = {"SaleAmount": "0.00", "Payout": "0.00", **_adjusted(now, "ITEM_RETURNED")}
        self._write(n, now, rules, record, now if touches else updated, [{**item, **adjusted} for item in items])

    def restore(self, now: datetime, rules: Rules, action_id: str, *, touches: bool) -> None:
        """Give a reversed action what it had before."""
        n, old, updated = self._read(action_id, now)
        remembered = self._before.pop(action_id) if action_id in self._before else None
        before, items = remembered or self._before_reversal(n, now)
        regained = {name: before[name] for name in ("Amount", "Payout", "ClientCost")}
        record = {**old, **regained, **_deltas(old, regained), "State": "PENDING"}
        adjusted = _adjusted(now, "RESET")
        self._write(n, now, rules, record, now if touches else updated, [{**item, **adjusted} for item in items])

    def approve(self, now: datetime, rules: Rules, action_id: str) -> None:
        """Approve an action early; the last-updated date never moves."""
        n, old, updated = self._read(action_id, now)
        record = {**old, "State": "APPROVED"}
        if rules.early_approval_moves_lock:
            record["LockingDate"] = wire_time(now)
        self._write(n, now, rules, record, updated, None)

    def set_item(  # noqa: PLR0913
        self, now: datetime, rules: Rules, action_id: str, sku: str, fields: Mapping[str, str], *, touches: bool
    ) -> None:
        """Change the first item of a Sku, or add one; the action's amounts become the sums."""
        items = self._ledger.true_items(self._read(action_id, now)[0], now)
        place = next((place for place, item in enumerate(items) if item["Sku"] == sku), None)
        if place is None:
            items.append({**NEW_ITEM, "Sku": sku, "Uri": self._item_uri(action_id, sku), **fields})
        else:
            items[place] = {**items[place], **_adjusted(now, "ORDER_UPDATE"), **fields}
        self._sum_up(now, rules, action_id, items, touches=touches)

    def remove_item(self, now: datetime, rules: Rules, action_id: str, sku: str, *, touches: bool) -> None:
        """Take all items of a Sku off an action; the action's amounts become the sums of the rest."""
        items = self._ledger.true_items(self._read(action_id, now)[0], now)
        rest = [item for item in items if item["Sku"] != sku]
        if len(rest) == len(items):
            raise KeyError(sku)
        self._sum_up(now, rules, action_id, rest, touches=touches)

    def remove(self, now: datetime, action_id: str) -> None:
        """Take an action out of the API altogether."""
        hands.remove_action(self._ledger, self._read(action_id, now)[0], now)

    def _sum_up(self, now: datetime, rules: Rules, action_id: str, items: list[Record], *, touches: bool) -> None:
        n, old, updated = self._read(action_id, now)
        sold = sum((amount(item["SaleAmount"]) or Decimal(0) for item in items), Decimal(0))
        paid = sum((amount(item["Payout"]) or Decimal(0) for item in items), Decimal(0))
        sums = {"Amount": cents(sold), "Payout": cents(paid)}
        record = dict(old)
        if any(amount(old[name]) != amount(value) for name, value in sums.items()):
            record |= {**sums, **_deltas(old, sums), "ClientCost": f"{paid:.4f}"}
        self._write(n, now, rules, record, now if touches else updated, items)

    def _read(self, action_id: str, now: datetime) -> tuple[int, Record, datetime]:
        n = self._ledger.number(action_id)
        found = None if n is None else self._ledger.true_action(n, now)
        if n is None or found is None:
            raise KeyError(action_id)
        return n, *found

    def _before_reversal(self, n: int, now: datetime) -> tuple[Record, list[Record]]:
        turned = self._ledger.begun(n, now) - timedelta(seconds=1)
        found = self._ledger.true_action(n, turned)
        if found is None:
            raise KeyError(n)
        return found[0], self._ledger.true_items(n, turned)

    def _write(  # noqa: PLR0913
        self, n: int, now: datetime, rules: Rules, record: Record, updated: datetime, items: Sequence[Record] | None
    ) -> None:
        hands.forget_future(self._ledger, n, now)
        first = self._version(now, rules, record, updated)
        hands.write_versions(self._ledger, n, [first, *self._future(n, now, rules, record, updated)])
        if items is not None:
            hands.write_items(self._ledger, n, items, now, first.shown_from)

    def _version(self, at: datetime, rules: Rules, record: Record, updated: datetime) -> Version:
        lag = zlib.crc32(f"{record['Id']} {at}".encode()) % (rules.visibility_lag + 1)
        return Version(at, at + timedelta(seconds=lag), updated, record)

    def _future(self, n: int, now: datetime, rules: Rules, record: Record, updated: datetime) -> list[Version]:
        """Approve what is pending at its locking date, and clear what is approved."""
        lock = parse_time(record["LockingDate"])
        versions = []
        if record["State"] == "PENDING" and lock and self._approval(lock, rules) > now:
            record = {**record, "State": "APPROVED"}
            versions.append(self._version(self._approval(lock, rules), rules, record, updated))
        if record["State"] == "APPROVED" and not record["ClearedDate"]:
            begin = versions[-1].at if versions else lock or now
            clear = begin + timedelta(seconds=self._ledger.clear_after(n))
            if clear > now:
                cleared = {**record, "ClearedDate": wire_time(clear)}
                versions.append(self._version(clear, rules, cleared, clear if rules.clearing_touches else updated))
        return versions

    @staticmethod
    def _approval(lock: datetime, rules: Rules) -> datetime:
        return lock + timedelta(days=rules.approval_delay_days)

    def _item_uri(self, action_id: str, sku: str) -> str:
        return f"{self._base}{action_id}/Items/{quote(sku, safe='')}"


def _adjusted(now: datetime, reason: str) -> Record:
    return {"AdjustmentDate": wire_time(now), "AdjustmentReason": reason}


def _deltas(old: Record, new: Mapping[str, str]) -> Record:
    return {
        f"Delta{name}": str((amount(new[name]) or Decimal(0)) - (amount(old[name]) or Decimal(0)))
        for name in ("Amount", "Payout")
    }


def _spread(items: list[Record], sold: str, paid: str, adjusted: str) -> list[Record]:
    """Spread an action's amounts over its items in proportion, the remainder on the last."""
    spread = [dict(item) for item in items]
    for name, whole in (("SaleAmount", amount(sold)), ("Payout", amount(paid))):
        parts = [amount(item[name]) for item in items]
        known = [part for part in parts if part is not None]
        if whole is None or not parts or len(known) < len(parts) or sum(known) == whole:
            continue
        total, left = sum(known), whole
        for place, part in enumerate(known):
            last = place == len(known) - 1
            share = left if last else Decimal(cents(whole * part / total if total else Decimal(0)))
            left -= share
            spread[place] |= {name: cents(share), "AdjustmentDate": adjusted, "AdjustmentReason": "ORDER_UPDATE"}
    return spread

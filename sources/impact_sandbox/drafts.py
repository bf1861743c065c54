"""Builds records of actions and items by hand, with plausible values for what is not given."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from .fields import ACTION_FIELDS
from .records import Record, amount
from .rules import Campaign, Rules
from .times import locking_midnight, wire_time

FIRST_SKU = "12345"
_ITEM = {
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
}
_ACTION = {
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


def new_action(campaign: Campaign, rules: Rules, created: datetime, uri: str, fields: Mapping[str, str]) -> Record:
    """Draft an action; `fields` hold at least its Id and are all kept, documented or not."""
    given = {**_ACTION, **fields}
    cost = amount(given["Payout"])
    locking = locking_midnight(created, days=rules.lock_days, shared_day=shared_day(campaign, rules))
    return {
        **{field.name: "" for field in ACTION_FIELDS},
        "CampaignId": campaign.id,
        "CampaignName": campaign.name,
        "ClientCost": given["Payout"] if cost is None else f"{cost:.4f}",
        **dict.fromkeys(("DeltaPayout", "IntendedPayout"), given["Payout"]),
        **dict.fromkeys(("DeltaAmount", "IntendedAmount"), given["Amount"]),
        "ReferringDate": wire_time(created - timedelta(hours=1)),
        "EventDate": wire_time(created - timedelta(minutes=5)),
        "CreationDate": wire_time(created),
        "LockingDate": wire_time(locking),
        "Oid": f"9{given['Id'].rpartition('.')[2]}",
        "Uri": uri,
        **given,
    }


def new_item(action_uri: str, sku: str, **fields: str) -> Record:
    """Draft an item of an action."""
    return {"Sku": sku, **_ITEM, "Uri": f"{action_uri}/Items/{quote(sku, safe='')}", **fields}


def shared_day(campaign: Campaign, rules: Rules) -> int | None:
    """Return the day of the next month on which a campaign's actions lock; None if they lock after some days."""
    return rules.shared_locking_day or (28 if campaign.locking == "shared_day" else None)

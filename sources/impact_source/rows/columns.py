"""Every column, declared once: the API's field, our name, its type and what it means.

The order is that of the API's own payload. Ids, order ids and post codes are text: they have leading zeros and dots.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa

MONEY = pa.decimal128(20, 8)
"""Twelve integer digits and eight decimals."""
TIME = pa.timestamp("us", tz="UTC")


class Kind(Enum):
    """What a value is; `arrow` is its type in a table."""

    TEXT = "text"
    MONEY = "decimal"
    TIME = "timestamp"
    COUNT = "bigint"

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type."""
        return {Kind.TEXT: pa.string(), Kind.MONEY: MONEY, Kind.TIME: TIME, Kind.COUNT: pa.int64()}[self]


@dataclass(frozen=True)
class Column:
    """One field of an API object and the column that holds it."""

    field: str
    name: str
    kind: Kind
    description: str
    needed: bool = False
    """Whether a record is useless if its value here cannot be read."""


def _text(field: str, name: str, description: str) -> Column:
    return Column(field, name, Kind.TEXT, description)


def _money(field: str, name: str, description: str) -> Column:
    return Column(field, name, Kind.MONEY, description)


def _count(field: str, name: str, description: str) -> Column:
    return Column(field, name, Kind.COUNT, description)


def _time(field: str, name: str, description: str, *, needed: bool = False) -> Column:
    return Column(field, name, Kind.TIME, description, needed)


ACTION: tuple[Column, ...] = (
    _text("Id", "id", "The action's id at impact.com; the key of this table"),
    _text("CampaignId", "campaign_id", "The campaign (program) that the action belongs to"),
    _text("CampaignName", "campaign_name", "The campaign's name"),
    _text("ActionTrackerId", "action_tracker_id", "The event type that recorded the action"),
    _text("ActionTrackerName", "action_tracker_name", "The event type's name"),
    _text("EventCode", "event_code", "The event type's code, where one is configured (legacy)"),
    _text("MediaPartnerId", "media_partner_id", "The partner credited with the action"),
    _text("MediaPartnerName", "media_partner_name", "The partner's name"),
    _text("State", "state", "PENDING until it locks or is approved by hand, APPROVED, or REVERSED; others as sent"),
    _text("AdId", "ad_id", "The ad behind the winning click"),
    _money("ClientCost", "client_cost", "What the action costs the brand: commission plus fees"),
    _money("Payout", "payout", "Commission to the partner, as it stands"),
    _money("DeltaPayout", "delta_payout", "Change of the payout by the latest modification"),
    _money("IntendedPayout", "intended_payout", "Commission before any modification"),
    _money("Amount", "amount", "Revenue of the action, as it stands"),
    _money("DeltaAmount", "delta_amount", "Change of the amount by the latest modification"),
    _money("IntendedAmount", "intended_amount", "Revenue before any modification"),
    _text("Currency", "currency", "ISO 4217 code of all money here: the account's currency, not the order's"),
    _time("ReferringDate", "referring_date", "When the winning click happened"),
    _time("EventDate", "event_date", "When the conversion happened", needed=True),
    _time("CreationDate", "creation_date", "When impact.com recorded the action"),
    _time("LockingDate", "locking_date", "When the action locks: it cannot be modified from then on"),
    _time("ClearedDate", "cleared_date", "When the commission was paid out of the account; NULL until then"),
    _text("ReferringType", "referring_type", "Kind of referral that won the credit, CLICK_COOKIE for example"),
    _text("ReferringDomain", "referring_domain", "Domain of the page with the winning click"),
    _text("IpAddress", "ip_address", "Hash of the customer's IP address"),
    _text("PromoCode", "promo_code", "Promotional code that was used"),
    _text("Oid", "oid", "The brand's order id; unique within an event type only"),
    _text("CustomerId", "customer_id", "The brand's id of the customer"),
    _text("CustomerPostCode", "customer_post_code", "The customer's postal code, leading zeros kept"),
    _text("CustomerStatus", "customer_status", "The brand's label for the customer, NEW for example"),
    _text("Note", "note", "Free-text note on the action"),
    _text("CallerId", "caller_id", "The customer's caller id, for conversions by phone"),
    _text("CustomerArea", "customer_area", "The customer's market area"),
    _text("CustomerCity", "customer_city", "The customer's city"),
    _text("CustomerRegion", "customer_region", "The customer's region or state"),
    _text("CustomerCountry", "customer_country", "The customer's country, ISO 3166 alpha-2"),
    _text("SharedId", "shared_id", "The value passed along by the partner's tracking link"),
    _text("Uri", "uri", "The action's path in the API"),
)

UPDATE: tuple[Column, ...] = (
    _text("Id", "id", "The change's id at impact.com: the action's id and a number; the key of this table"),
    _text("ActionId", "action_id", "The action that changed; joins actions.id"),
    _text("CampaignId", "campaign_id", "The campaign (program) that the action belongs to"),
    _text("ActionTrackerId", "action_tracker_id", "The event type that recorded the action"),
    _text("EventTypeId", "event_type_id", "The event type's id, as this list names it"),
    _text("EventTypeName", "event_type_name", "The event type's name"),
    _text("EventCode", "event_code", "The event type's code, where one is configured (legacy)"),
    _text("MediaPartnerId", "media_partner_id", "The partner credited with the action"),
    _text("State", "state", "The action's state after the change"),
    _text("StateDetail", "state_detail", "PAID, OVERDUE and others, as sent"),
    _text("StateDetailDescription", "state_detail_description", "The state in words"),
    _text("AdId", "ad_id", "The ad behind the winning click"),
    _text("Disposition", "disposition", "Why the action changed, ITEM_RETURNED for example"),
    _money("DeltaPayout", "delta_payout", "By how much the commission on the item changed"),
    _money("DeltaAmount", "delta_amount", "By how much the revenue of the item changed"),
    _text("Currency", "currency", "ISO 4217 code of both"),
    _text("Category", "category", "The product's category"),
    _text("Sku", "sku", "The item that changed; NULL where the row is about the complete order"),
    _count("Quantity", "quantity", "Units of the product: after the change, or by how many it changed"),
    _text("CatalogName", "catalog_name", "The product's name in the brand's catalog"),
    _text("CatalogCategory", "catalog_category", "Its category there"),
    _text("CatalogDescription", "catalog_description", "Its description there"),
    _text("CatalogManufacturer", "catalog_manufacturer", "Its manufacturer there"),
    _text("CatalogOriginalFormatCategory", "catalog_original_format_category", "Its category as first imported"),
    _text("CatalogSubCategory", "catalog_sub_category", "Its subcategory there"),
    _text("PayoutLevel", "payout_level", "Whether the commission is set for the item or for the action"),
    _text("DefaultPayoutRate", "default_payout_rate", "The default rate of the commission, as sent"),
    _text("ContractId", "contract_id", "The contract whose terms apply"),
    _time("UpdateDate", "update_date", "When the change was recorded", needed=True),
    _time("LockingDate", "locking_date", "When the action locks"),
    _time("ClearingDate", "clearing_date", "When the commission is due"),
    _time("ActionDate", "action_date", "When the conversion happened"),
    _text("Oid", "oid", "The brand's order id; unique within an event type only"),
    _text("CustomerId", "customer_id", "The brand's id of the customer"),
    _text("CustomerStatus", "customer_status", "The brand's label for the customer, NEW for example"),
    _text("SharedId", "shared_id", "The value passed along by the partner's tracking link"),
    _text("ActionUri", "action_uri", "The action's path in the API"),
    _text("Uri", "uri", "The change's path in the API"),
)

CAMPAIGN: tuple[Column, ...] = (
    _text("Id", "id", "The campaign's id; the key of this table"),
    _text("Name", "name", "The campaign's name"),
    _text("State", "state", "ACTIVE, CLOSED and others, as sent"),
)

ITEM: tuple[Column, ...] = (
    _text("Sku", "sku", "The item's stock-keeping unit; '' where the API sends none"),
    _text("ItemName", "item_name", "The product's name"),
    _text("Category", "category", "The product's category"),
    _count("Quantity", "quantity", "Units of the product in the order"),
    _money("SaleAmount", "sale_amount", "Revenue of the item, as it stands"),
    _text("SaleAmountCurrency", "sale_amount_currency", "ISO 4217 code of the revenue"),
    _money("Payout", "payout", "Commission on the item, as it stands"),
    _text("PayoutCurrency", "payout_currency", "ISO 4217 code of the commission"),
    _money("Rebate", "rebate", "Discount or rebate on the item"),
    _text("RebateCurrency", "rebate_currency", "ISO 4217 code of the rebate"),
    _time("AdjustmentDate", "adjustment_date", "When the item was last modified; NULL if never"),
    _text("AdjustmentReason", "adjustment_reason", "Reason code of the latest modification"),
    _text("Uri", "uri", "The item's path in the API"),
)
ACTION_ID = Column("", "action_id", Kind.TEXT, "The action that the item belongs to; joins actions.id")
LINE_COUNT = Column(
    "",
    "line_count",
    Kind.COUNT,
    "Lines of the action with this Sku; several are summed, with the first line's other fields",
)

KNOWN_BY = Column(
    "",
    "known_by",
    Kind.TEXT,
    "list (the action's own list of items) or feed (added up from action_updates, without name, rebate and adjustment "
    "until the list is read); NULL means list",
)
SYNCED_AT = Column(
    "", "synced_at", Kind.TIME, "When the answer that last changed this row here arrived (the server's clock)"
)

PASS = Column(
    "",
    "pass",
    Kind.TEXT,
    "The pass that first saw this version of the row: updated, locking, unseen or verify; NULL if a run of version "
    "0.1.0 broke off",
)
CHANGED = Column(
    "",
    "changed",
    Kind.TEXT,
    "Columns that differ from the version before, separated by commas; NULL for the first version, empty if the "
    "version before was not kept",
)
KEPT_BY_US = frozenset({SYNCED_AT.name, PASS.name, CHANGED.name})
"""Columns that say when and how a row came here: two rows that differ only in these are the same."""


def hints(columns: tuple[Column, ...], **marks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Dlt's column hints for these columns; `marks` adds hints to single columns by name."""
    schema: dict[str, dict[str, Any]] = {}
    for column in columns:
        hint: dict[str, Any] = {
            "name": column.name,
            "data_type": column.kind.value,
            "description": column.description,
            "nullable": True,
        }
        if column.kind is Kind.MONEY:
            hint |= {"precision": MONEY.precision, "scale": MONEY.scale}
        schema[column.name] = hint | marks.get(column.name, {})
    return schema

"""Every field of the action and item objects, in the API's order, with the type a typed answer gives it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "time"]


@dataclass(frozen=True)
class Field:
    """A field: its name in the API, its kind and the SQL that yields it from the ledger (NULL for no date)."""

    name: str
    kind: Kind
    sql: str

    @property
    def text_sql(self) -> str:
        """The SQL that yields the field as a raw string; times are kept as text beside their instants."""
        if self.kind == "time":
            return f"{self.sql}_text"
        return self.sql if self.kind == "text" else f"CAST({self.sql} AS VARCHAR)"


def _fields(*rows: tuple[str, Kind, str]) -> tuple[Field, ...]:
    return tuple(Field(*row) for row in rows)


ACTION_FIELDS = _fields(
    ("Id", "text", "a.id"),
    ("CampaignId", "number", "c.id"),
    ("CampaignName", "text", "c.name"),
    ("ActionTrackerId", "number", "a.tracker_id"),
    ("ActionTrackerName", "text", "a.tracker_name"),
    ("EventCode", "text", "a.event_code"),
    ("MediaPartnerId", "number", "a.partner_id"),
    ("MediaPartnerName", "text", "a.partner_name"),
    ("State", "text", "v.state"),
    ("AdId", "number", "a.ad_id"),
    ("ClientCost", "number", "CAST(v.payout * (1 + c.fee) AS DECIMAL(18, 4))"),
    ("Payout", "number", "v.payout"),
    ("DeltaPayout", "number", "v.delta_payout"),
    ("IntendedPayout", "number", "a.intended_payout"),
    ("Amount", "number", "v.amount"),
    ("DeltaAmount", "number", "v.delta_amount"),
    ("IntendedAmount", "number", "a.intended_amount"),
    ("Currency", "text", "'USD'"),
    ("ReferringDate", "time", "a.referring"),
    ("EventDate", "time", "a.event"),
    ("CreationDate", "time", "a.created"),
    ("LockingDate", "time", "v.locking"),
    ("ClearedDate", "time", "v.cleared"),
    ("ReferringType", "text", "a.referring_type"),
    ("ReferringDomain", "text", "a.referring_domain"),
    ("IpAddress", "text", "a.ip"),
    ("PromoCode", "text", "a.promo_code"),
    ("Oid", "text", "a.oid"),
    ("CustomerId", "text", "a.customer_id"),
    ("CustomerPostCode", "text", "a.post_code"),
    ("CustomerStatus", "text", "a.customer_status"),
    ("Note", "text", "a.note"),
    ("CallerId", "text", "a.caller_id"),
    ("CustomerArea", "text", "a.area"),
    ("CustomerCity", "text", "a.city"),
    ("CustomerRegion", "text", "a.region"),
    ("CustomerCountry", "text", "a.country"),
    ("SharedId", "text", "a.shared_id"),
    ("Uri", "text", "concat('/Advertisers/', s.account_sid, '/Actions/', a.id)"),
)

ITEM_FIELDS = _fields(
    ("Sku", "text", "p.sku"),
    ("ItemName", "text", "p.name"),
    ("Category", "text", "p.category"),
    ("Quantity", "number", "i.quantity"),
    ("SaleAmount", "number", "i.sale_amount"),
    ("SaleAmountCurrency", "text", "'USD'"),
    ("Payout", "number", "i.payout"),
    ("PayoutCurrency", "text", "'USD'"),
    ("Rebate", "number", "i.rebate"),
    ("RebateCurrency", "text", "'USD'"),
    ("AdjustmentDate", "time", "i.adjusted"),
    ("AdjustmentReason", "text", "i.reason"),
    ("Uri", "text", "concat('/Advertisers/', s.account_sid, '/Actions/', a.id, '/Items/', url_encode(p.sku))"),
)

_SUBMISSION_KINDS: dict[str, Kind] = {"AccountId": "number", "SubmissionDate": "time", "CompletionDate": "time"}
_UPDATE_KINDS: dict[str, Kind] = dict.fromkeys(("UpdateDate", "ClearingDate", "ActionDate"), "time")
_REFERENCE_NUMBERS = (
    *("PartnerId", "TemplateId", "TransactionAmount", "ExpectedPayout", "FinalPayout", "MediaId", "TotalAmount"),
    *("TotalVatAmount", "Actions", "NetItemAmount", "VatItemAmount", "TotalItemAmount", "ProgramId", "ActionAmount"),
    "OtherAmount",
)
_REFERENCE_TIMES = (
    *("DateCreated", "DateLastUpdated", "JoinDate", "StartDate", "EndDate", "BrandSignatoryDate", "Date"),
    *("PartnerSignatoryDate", "TransactionDate", "ResolutionDeadlineDate", "AutoApprovalDate", "ResolutionDate"),
    *("CreatedDate", "DueDate", "PaidDate"),
)
KINDS: dict[str, Kind] = (
    {field.name: field.kind for field in (*ACTION_FIELDS, *ITEM_FIELDS)}
    | _SUBMISSION_KINDS
    | _UPDATE_KINDS
    | dict.fromkeys(_REFERENCE_NUMBERS, "number")
    | dict.fromkeys(_REFERENCE_TIMES, "time")
)

ESCAPED = frozenset({"CampaignName", "MediaPartnerName", "Note"})
"""Generated text that may contain characters that JSON must escape."""

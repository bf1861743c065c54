"""SQL that writes rows of the change feed as the API's records: JSON in both wire formats."""

from dataclasses import dataclass
from datetime import datetime

from .feed import FIRST_NUMBER, MOST_LINES
from .fields import Kind
from .render import new_fields
from .rules import Rules

_TABLES = "FROM {updates} v JOIN actions a ON a.n = v.n JOIN campaigns c ON c.serial = v.serial CROSS JOIN settings s"


@dataclass(frozen=True)
class UpdateField:
    """A field: its name, its kind and the SQL that yields it for a generated action; for a time, NULL means none.

    `recorded` is the name of its value in the record of an action, `text` the SQL for a time's text if it is kept.
    """

    name: str
    kind: Kind
    sql: str
    recorded: str = ""
    text: str = ""

    @property
    def string(self) -> str:
        """The SQL that yields the field of a generated action as a string."""
        if self.kind == "time":
            return self.text or f"coalesce(wire_time({self.sql}), '')"
        return self.sql


CONTRACT = "S-32"
"""The prefix of the ids of contracts; the rest is the partner's id."""
OPEN = "Action comes in DEFAULT and a locking date has not been set yet"
"""The meaning of the state of an action without a LockingDate."""
_BASE = "concat('/Advertisers/', s.account_sid, '/Actions/', a.id)"
_NUMBERED = f"{FIRST_NUMBER} + v.kind * {MOST_LINES} + v.place"
_UPDATED = "CASE WHEN v.updated = a.created THEN a.created_text ELSE wire_time(v.updated) END"
UPDATE_FIELDS = (
    UpdateField("Id", "text", f"concat(a.id, '.', {_NUMBERED})"),
    UpdateField("ActionId", "text", "a.id", "Id"),
    UpdateField("CampaignId", "number", "c.id", "CampaignId"),
    UpdateField("ActionTrackerId", "number", "a.tracker_id", "ActionTrackerId"),
    UpdateField("EventTypeId", "text", "a.tracker_id", "ActionTrackerId"),
    UpdateField("EventTypeName", "text", "a.tracker_name", "ActionTrackerName"),
    UpdateField("EventCode", "text", "a.event_code", "EventCode"),
    UpdateField("MediaPartnerId", "number", "a.partner_id", "MediaPartnerId"),
    UpdateField("State", "text", "v.state", "State"),
    UpdateField("StateDetail", "text", "''"),
    UpdateField("StateDetailDescription", "text", f"CASE WHEN v.locking IS NULL THEN '{OPEN}' ELSE '' END"),
    UpdateField("AdId", "number", "a.ad_id", "AdId"),
    UpdateField("Disposition", "text", "v.disposition"),
    UpdateField("DeltaPayout", "number", "v.delta_payout"),
    UpdateField("DeltaAmount", "number", "v.delta_amount"),
    UpdateField("Currency", "text", "'USD'", "Currency"),
    UpdateField("Category", "text", "v.category"),
    UpdateField("Sku", "text", "v.sku"),
    UpdateField("Quantity", "number", "v.quantity"),
    *(
        UpdateField(f"Catalog{name}", "text", "''")
        for name in ("Name", "Category", "Description", "Manufacturer", "OriginalFormatCategory", "SubCategory")
    ),
    UpdateField("PayoutLevel", "text", "'ITEM'"),
    UpdateField("DefaultPayoutRate", "text", "'2'"),
    UpdateField("ContractId", "text", f"concat('{CONTRACT}', a.partner_id)"),
    UpdateField("UpdateDate", "time", "v.updated", text=_UPDATED),
    UpdateField("LockingDate", "time", "v.locking", "LockingDate"),
    UpdateField(
        "ClearingDate", "time", "CASE WHEN v.locking < '9999-01-01' THEN v.locking + to_seconds(a.clear_after) END"
    ),
    UpdateField("ActionDate", "time", "v.event", "EventDate", "a.event_text"),
    UpdateField("Oid", "text", "a.oid", "Oid"),
    UpdateField("CustomerId", "text", "a.customer_id", "CustomerId"),
    UpdateField("CustomerStatus", "text", "a.customer_status", "CustomerStatus"),
    UpdateField("SharedId", "text", "a.shared_id", "SharedId"),
    UpdateField("ActionUri", "text", _BASE, "Uri"),
    UpdateField("Uri", "text", f"concat('/Advertisers/', s.account_sid, '/ActionUpdates/', a.id, '.', {_NUMBERED})"),
)
"""Every field of the action update object, in the API's order, with the type a typed answer gives it."""


def update_tables(updates: str) -> str:
    """Return the SQL for the tables of an update's fields, over the updates selected by a subquery."""
    return _TABLES.format(updates=updates)


def number_of(kind: int, place: int) -> int:
    """Return the number that follows the action's Id in the Id of a row."""
    return FIRST_NUMBER + kind * MOST_LINES + place


def numbered(number: int) -> str:
    """Return the SQL condition for the row `v` of an action whose Id ends in a number."""
    kind, place = divmod(number - FIRST_NUMBER, MOST_LINES)
    return f"v.kind = {kind} AND v.place = {place}"


def update_json(rules: Rules, now: datetime, *, typed: bool) -> str:
    """Return the SQL for an update's record as the text of a JSON object."""
    pieces = ["'{'"]
    for place, field in enumerate(UPDATE_FIELDS):
        pieces += [f"""'{"," if place else ""}"{field.name}":'""", *(_typed(field) if typed else _quoted(field.string))]
    more = "".join(f',"{name}":"{value}"' for name, value in new_fields(rules, now).items())
    record = "v.typed" if typed else "v.record"
    return f"concat(CASE WHEN v.record IS NULL THEN concat({', '.join(pieces)}) ELSE {record}[:-2] END, '{more}}}')"


def _quoted(text: str) -> list[str]:
    return ["""'"'""", text, """'"'"""]


def _typed(field: UpdateField) -> list[str]:
    match field.kind:
        case "number":
            return [field.sql]
        case "time":
            return [f"""coalesce('"' || typed_time({field.sql}) || '"', 'null')"""]
        case _:
            return _quoted(field.string)

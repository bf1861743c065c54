"""The two tables of the ledger: each column once, with its type and meaning."""

from __future__ import annotations

from typing import Final

from ..warehouse.own_tables import COUNT, MONEY, TEXT, TIME, Field

RECONCILIATIONS: Final = (
    Field("run_id", TEXT, "The reconciliation; the key of this table"),
    Field("reconciled_at", TIME, "When it ran, by this machine's clock"),
    Field("as_of", TIME, "Up to when the warehouse knows the actions: what has locked is judged as of then"),
    Field("source", TEXT, "The file or query that gave the orders"),
    Field("since", TIME, "Orders from here on were compared; NULL for all"),
    Field("until", TIME, "Orders up to here were compared; NULL for all"),
    Field("orders", COUNT, "Orders that were compared"),
    Field("matched", COUNT, "Orders that have an action"),
    Field("differences", COUNT, "Differences that were found"),
    Field("correctable", COUNT, "Those that can still be corrected, by a plan or by hand"),
    Field("locked", COUNT, "Those whose actions have locked"),
    Field(
        "settled",
        COUNT,
        "Differences of earlier reconciliations that are no longer there because impact.com's side has changed",
    ),
    Field("locked_unmended", COUNT, "Differences that were correctable when last seen and have locked since"),
    Field("notes", TEXT, "What else the comparison found, a sentence on each line"),
    Field("version", TEXT, "Version of impact-sync"),
)
LINES: Final = (
    Field("run_id", TEXT, "The reconciliation; joins reconciliations"),
    Field("found_at", TIME, "When it ran"),
    Field("first_found_at", TIME, "When the difference was first found"),
    Field(
        "change",
        TEXT,
        "new, known, locked unmended (it could be corrected when last seen); and if it is no longer there, settled "
        "(impact.com's side has changed) or orders changed (only the orders, or how they are compared, have)",
    ),
    Field(
        "kind",
        TEXT,
        "not_reversed (returned or cancelled, the action stands), not_corrected (partly returned), amount, currency, "
        "no_action, no_order, duplicate (several orders or actions with one id), reversed_here (reversed at "
        "impact.com, alive in the shop)",
    ),
    Field(
        "standing",
        TEXT,
        "open, locked (the action can no longer be changed), not due (the order is younger than the last sync), out of "
        "reach (the API no longer has the action, or goes back less far), or settled (it is no longer there)",
    ),
    Field("remedy", TEXT, "plan (a plan of ours corrects it), by hand (a person must decide), or nothing"),
    Field("order_id", TEXT, "The order's id as the shop writes it; the action's if there is no order"),
    Field("event_type", TEXT, "The event type that the order names, by id or name; empty if none"),
    Field("sku", TEXT, "The item that differs; NULL if the order does"),
    Field("action_id", TEXT, "The action; joins actions.id. Each of several with one order id has a line"),
    Field("campaign_id", TEXT, "The action's campaign"),
    Field("media_partner_name", TEXT, "The partner credited with the action"),
    Field("line", COUNT, "Line of the file, or row of the query, that has the order"),
    Field("orders", COUNT, "Orders with this id"),
    Field("actions", COUNT, "Actions with this id"),
    Field("order_status", TEXT, "placed, cancelled, returned or partly_returned; NULL if the order does not say"),
    Field("action_state", TEXT, "The action's state"),
    Field("order_amount", MONEY, "Amount of the order or item in the shop"),
    Field("expected_amount", MONEY, "Amount that the action or item should have"),
    Field("action_amount", MONEY, "Amount that it has"),
    Field("order_quantity", COUNT, "Quantity of the item in the shop"),
    Field("action_quantity", COUNT, "Quantity of the item at impact.com"),
    Field("order_currency", TEXT, "The order's currency"),
    Field("currency", TEXT, "The action's currency, that of its amount and of the commission"),
    Field(
        "commission",
        MONEY,
        "Commission at stake: above 0 is paid too much, below 0 too little; NULL if that is not known",
    ),
    Field("ordered_at", TIME, "When the order was placed, as the shop says"),
    Field("event_date", TIME, "When the conversion happened, as impact.com says"),
    Field("locking_date", TIME, "Until when it can be corrected; NULL if that is not known"),
)
NAMES: Final = tuple(field.name for field in LINES)

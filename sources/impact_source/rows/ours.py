"""Columns of our own tables, not the API's, as hints for dlt."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .columns import ACTION, ACTION_ID, CHANGED, ITEM, KNOWN_BY, LINE_COUNT, PASS, SYNCED_AT, TIME, hints

KEY: Any = {"nullable": False}
STAMP: Any = {"dedup_sort": "desc"}

WINDOW: Any = {
    "run_id": {"data_type": "text", "nullable": False, "description": "The run that read the window"},
    "campaign_id": {"data_type": "text", "nullable": False, "description": "The campaign that was read"},
    "pass": {
        "data_type": "text",
        "nullable": False,
        "description": "updated, locking, unseen, feed, verify, or items (a sample of lists that verify reads)",
    },
    "window_start": {"data_type": "timestamp", "nullable": False, "description": "First instant of the window"},
    "window_end": {"data_type": "timestamp", "nullable": False, "description": "Last instant of the window"},
}
WINDOW_RESULT: Any = {
    "event_start": {"data_type": "timestamp", "description": "First EventDate, if the window was split by it"},
    "event_end": {"data_type": "timestamp", "description": "Last EventDate, if the window was split by it"},
    "total": {
        "data_type": "bigint",
        "description": "Actions in the window, as the API counts them (@total); for items, in the sample",
    },
    "rows": {"data_type": "bigint", "description": "Actions received; for items, those whose lists were"},
    "pages": {"data_type": "bigint", "description": "Pages of the window"},
    "requests": {"data_type": "bigint", "description": "Requests sent for it, including repeats"},
    "seconds": {"data_type": "double", "description": "Total time of its requests"},
    "outcome": {
        "data_type": "text",
        "description": "whole (received completely), parted (completely, split into parts read one by one), one by one "
        "(actions by their ids), ahead (completely, but after a window that failed, so the cursor stays); or why "
        "not: too full, too slow, moved, failed, left out (after several that failed)",
    },
    "reason": {"data_type": "text", "description": "Why it failed, in the API's words; NULL if it did not"},
}
_READ_IN: Any = {name: hint | {"nullable": True} for name, hint in WINDOW.items()}
_READ_IN["pass"] = _READ_IN["pass"] | {"description": "The pass that read it, or items"}
REJECTED: Any = {
    "id": {"data_type": "text", "nullable": False, "description": "The action's id, or else a hash of the record"},
    "raw": {"data_type": "text", "description": "The record as JSON, as it came"},
    "reason": {"data_type": "text", "description": "Why the record, or which value in it, could not be typed"},
    "null_columns": {
        "data_type": "text",
        "description": "Columns that are NULL in its row, separated by commas; NULL if it has no row",
    },
    "ask_again": {
        "data_type": "bool",
        "description": "Whether the next run requests it again; false if a clear value does not fit its column",
    },
    "action_id": {"data_type": "text", "description": "The action's id; NULL if the record has none"},
    "rejected_at": {
        "data_type": "timestamp",
        "dedup_sort": "desc",
        "description": "When the answer that contained it arrived",
    },
    "resolved": {"data_type": "bool", "hard_delete": True, "description": "True removes the row; never seen here"},
    **_READ_IN,
}
FINDINGS: Any = {
    "run_id": {"data_type": "text", "nullable": False, "description": "The run that found it"},
    "campaign_id": {"data_type": "text", "description": "The action's campaign"},
    "action_id": {"data_type": "text", "nullable": False, "description": "The action that differs"},
    "month": {"data_type": "text", "description": "Month of its EventDate in the account's time zone, as YYYY-MM"},
    "finding": {
        "data_type": "text",
        "description": "missing here, stale here, gone at the source, or back (seen again after it was gone)",
    },
    "column_name": {"data_type": "text", "nullable": False, "description": "The column that differs, if stale"},
    "here": {"data_type": "text", "description": "The value in the warehouse"},
    "there": {"data_type": "text", "description": "The value at the API"},
    "repaired": {"data_type": "bool", "description": "Whether it was repaired, or acknowledged if gone"},
    "found_at": {"data_type": "timestamp", "description": "When it was found (the server's clock)"},
}
"""Columns of `verify_results`; its key is `FINDING_KEY`."""
FINDING_KEY = ["run_id", "action_id", "column_name"]

REMOVED = "removed"
ITEMS: Any = {
    **hints(
        (ACTION_ID, *ITEM, LINE_COUNT, KNOWN_BY, SYNCED_AT, CHANGED),
        action_id=KEY | {"merge_key": True},
        sku=KEY,
        synced_at={"description": "When the answer that last changed this item here arrived (the server's clock)"},
    ),
    REMOVED: {
        "data_type": "bool",
        "nullable": True,
        "hard_delete": True,
        "description": "True removes the row; never seen here",
    },
}
"""Columns of `action_items`; its key is `ITEM_KEY`. All items of an action are written at once."""
ITEM_KEY = ["action_id", "sku"]

_INTERVAL: Any = {
    "valid_from": {
        "data_type": "timestamp",
        "nullable": False,
        "description": "When the answer that first showed this version arrived (the server's clock)",
    },
    "valid_to": {
        "data_type": "timestamp",
        "nullable": True,
        "description": "When an answer showed the next version, or that the item is gone; NULL while current",
    },
}
_CONFIRMED: Any = {"synced_at": {"description": "When the answer that last wrote this version arrived"}}
HISTORY: Any = {
    **hints((*ACTION, SYNCED_AT), id=KEY, **_CONFIRMED),
    **_INTERVAL,
    **hints((PASS, CHANGED)),
}
"""Columns of `action_versions` and `action_history`; their key is `id` and `valid_from`."""
ITEM_HISTORY: Any = {
    **hints((ACTION_ID, *ITEM, LINE_COUNT, KNOWN_BY, SYNCED_AT), action_id=KEY, sku=KEY, **_CONFIRMED),
    **_INTERVAL,
    **hints((CHANGED,)),
}
"""Columns of `action_item_versions` and `action_item_history`; their key is `action_id`, `sku` and `valid_from`."""
VERSIONS = {"actions": "action_versions", "action_items": "action_item_versions"}
"""The table of the versions that were replaced, by the table that holds the current ones."""

FETCHES: Any = {
    "action_id": {"data_type": "text", "nullable": False, "description": "The action whose items were requested"},
    "fetched_at": {"data_type": "timestamp", "description": "When the answer arrived (the server's clock)"},
    "fingerprint": {
        "data_type": "text",
        "description": "What decides whether items are current: the action's amounts when they were requested",
    },
    "failure": {
        "data_type": "text",
        "description": "Why the items are requested again although the amounts have not changed: updated before an "
        "instant, rejected, or failed with its reason; NULL if they are not",
    },
    "status": {
        "data_type": "text",
        "description": "listed, derived (added up from action_updates), not found (the API knows no such action), "
        "rejected (an item could not be typed) or failed (no valid answer)",
    },
    "item_count": {
        "data_type": "bigint",
        "description": "Rows in action_items from this answer; NULL if it listed none",
    },
    "changes": {
        "data_type": "bigint",
        "description": "Rows of action_updates that were added up; NULL if the items come from a list",
    },
}
"""Columns of `item_fetches`; its key is `action_id`."""
FETCH_TABLE = pa.schema(
    [
        pa.field("action_id", pa.string(), nullable=False),
        ("fetched_at", TIME),
        ("fingerprint", pa.string()),
        ("failure", pa.string()),
        ("status", pa.string()),
        ("item_count", pa.int64()),
        ("changes", pa.int64()),
    ]
)

FEEDS: Any = {
    "campaign_id": {"data_type": "text", "nullable": False, "description": "The campaign"},
    "status": {
        "data_type": "text",
        "description": "Whether items are derived from its change feed: proven (they are), unproven (not yet), "
        "contradicted (a list of items said otherwise, see example) or refused (the API does not show it)",
    },
    "quantity": {
        "data_type": "text",
        "description": "What Quantity of action_updates is: latest (units after the change), moved (by how many it "
        "changed) or either (nothing has told the difference yet)",
    },
    "removed": {
        "data_type": "text",
        "description": "Whether lists show an item that is left without worth and units: gone (no), listed, or either "
        "(nothing has told yet)",
    },
    "agreed": {"data_type": "bigint", "description": "Lists of items that said what was derived from the feed"},
    "example": {"data_type": "text", "description": "What contradicts it, or how it was refused; NULL if nothing does"},
    "checked_at": {"data_type": "timestamp", "description": "Lists and changes were compared up to here"},
}
"""Columns of `item_feeds`; its key is `campaign_id`."""

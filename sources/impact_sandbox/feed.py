"""The change feed: what every change of an action did to its items, as the rows that ActionUpdates lists.

A change is recorded with a line for each item of the action, `changed` or not: its cause (`cause`), the item after it,
and the differences in quantity, amount and payout. `Rules` then shape the rows.
"""

from .rules import Rules
from .times import NEVER, sql_time

LINES = (
    *("n", "serial", "kind", "place", "updated", "shown_from", "state", "event", "locking", "cause", "disposition"),
    *("sku", "category", "quantity", "quantity_was", "removed", "changed", "amount", "payout"),
)
"""The columns of a change to an item; `kind` is that of the version which the change begins."""
FIRST_NUMBER = 95_000_000
"""The first of the numbers that follow an action's Id in the Ids of its rows."""
MOST_LINES = 10_000
_LAST = MOST_LINES - 1
CAUSES = {0: "tracked", 1: "modified", 2: "modified", 3: "reversed", 4: "restored", 5: "approved", 7: "approved"}
"""The kinds of generated versions that begin with a change."""
_DISPOSITIONS = {1: "ORDER_UPDATE", 2: "ORDER_UPDATE", 3: "ITEM_RETURNED", 4: "RESET"}
UNSAID = "IR_BLANK"
"""The disposition of a change without a given reason."""


def insert_generated(rules: Rules) -> str:
    """Return the SQL that records the changes of the lives just generated."""
    kinds = [kind for kind in CAUSES if rules.feed_approvals or CAUSES[kind] != "approved"]
    causes = " ".join(f"WHEN {kind} THEN '{CAUSES[kind]}'" for kind in kinds)
    dispositions = " ".join(f"WHEN {kind} THEN '{code}'" for kind, code in _DISPOSITIONS.items())
    lines = f"""
    SELECT l.n, v.serial, v.kind, l.line, v.begun, v.shown_from, v.state, v.event, v.locking,
        CASE v.kind {causes} END, CASE v.kind {dispositions} ELSE '{UNSAID}' END, p.sku, p.category,
        CASE v.kind WHEN 0 THEN q0 WHEN 1 THEN coalesce(q1, 0) ELSE q2 END,
        CASE v.kind WHEN 0 THEN 0 WHEN 1 THEN q0 WHEN 2 THEN q1 ELSE q2 END,
        v.kind = 1 AND q1 IS NULL, CASE v.kind WHEN 1 THEN hit1 WHEN 2 THEN hit2 ELSE true END,
        CASE v.kind WHEN 0 THEN s0 + extra WHEN 1 THEN coalesce(s1, -extra) - s0 WHEN 2 THEN s2 - s1
            WHEN 3 THEN -s2 WHEN 4 THEN s2 ELSE 0 END,
        CASE v.kind WHEN 0 THEN p0 WHEN 1 THEN coalesce(p1, 0) - p0 WHEN 2 THEN p2 - p1
            WHEN 3 THEN -p2 WHEN 4 THEN p2 ELSE 0 END
    FROM lines l JOIN versions v ON v.n = l.n AND v.kind IN ({", ".join(map(str, kinds))}) AND v.record IS NULL
    JOIN products p ON p.place = l.product
    WHERE v.kind < 2 OR q1 IS NOT NULL"""
    return f"INSERT INTO updates {select_rows(lines, rules)}"


def select_rows(lines: str, rules: Rules) -> str:
    """Return the SQL for the feed's rows of changes to items, a query of LINES, shaped by the rules."""
    quantity = "CASE WHEN removed THEN quantity_was ELSE quantity END" if rules.feed_removed == "last" else "quantity"
    if rules.feed_quantity == "delta":
        quantity = "TRY_CAST(quantity AS BIGINT) - TRY_CAST(quantity_was AS BIGINT)"
    late = f"to_seconds(draw(hash(n, kind, place), 'feed lag', {rules.feed_lag + 1}))" if rules.feed_lag else None
    return f"""
WITH lines({", ".join(LINES)}) AS ({lines}), odd AS ({_odd(rules)}), merged AS ({_merged(rules)})
SELECT n, serial, kind, place, updated, {f"shown_from + {late}" if late else "shown_from"} AS shown_from,
    {sql_time(NEVER)} AS shown_to, state, event, locking, disposition, sku, category,
    CAST({quantity} AS VARCHAR) AS quantity, CAST(amount AS VARCHAR) AS delta_amount,
    CAST(payout AS VARCHAR) AS delta_payout, NULL AS record, NULL AS typed
FROM merged WHERE changed ORDER BY n, kind, place
"""


def _odd(rules: Rules) -> str:
    """Select the lines, with some missing, changed or made up."""
    conditions, replaced = ["true"], []
    if not rules.feed_restorations:
        conditions.append("cause <> 'restored'")
    if rules.feed_lacks_items:
        conditions.append(f"NOT {_drawn('hash(n, sku)', 'feed lacks', rules.feed_lacks_items)}")
    if rules.feed_renames_items:
        renamed = _drawn("hash(n, sku)", "feed renames", rules.feed_renames_items)
        replaced.append(f"CASE WHEN {renamed} THEN concat('PARENT-', sku) ELSE sku END AS sku")
    if rules.feed_odd_deltas:
        wrong = f"cause = 'tracked' AND place = 0 AND {_drawn('n', 'feed odd', rules.feed_odd_deltas)}"
        replaced.append(f"amount + CASE WHEN {wrong} THEN 1 ELSE 0 END AS amount")
    everything = f"* REPLACE ({', '.join(replaced)})" if replaced else "*"
    found = f"SELECT {everything} FROM lines WHERE {' AND '.join(conditions)}"
    if rules.feed_adds_items:
        made_up = (
            f"{_LAST} AS place, 'SHIPPING' AS sku, 'Shipping' AS category, '1' AS quantity, '0' AS quantity_was, "
            "0 AS amount, 0 AS payout"
        )
        more = f"cause = 'tracked' AND place = 0 AND {_drawn('n', 'feed adds', rules.feed_adds_items)}"
        found += f" UNION ALL SELECT * REPLACE ({made_up}) FROM lines WHERE {more}"
    return found


def _merged(rules: Rules) -> str:
    """Select one row for each line, or for all lines of a change or of a Sku."""
    whole = "cause IN ('reversed', 'restored')" if rules.feed_turns == "order" else "false"
    whole = "true" if rules.feed_rows == "order" else whole
    if whole == "false" and rules.feed_twins == "apart":
        return "FROM odd"
    place = "0" if rules.feed_twins == "together" else f"CASE WHEN {whole} THEN 0 ELSE place END"
    same = ("serial", "updated", "shown_from", "state", "event", "locking", "cause", "disposition")
    return f"""
    SELECT n, kind, min(place) AS place, {", ".join(f"any_value({name}) AS {name}" for name in same)},
        told AS sku, CASE WHEN told = '' THEN '' ELSE arg_min(category, place) END AS category,
        sum(TRY_CAST(quantity AS BIGINT)) AS quantity, sum(TRY_CAST(quantity_was AS BIGINT)) AS quantity_was,
        bool_and(removed) AS removed, bool_or(changed) AS changed, sum(amount) AS amount, sum(payout) AS payout
    FROM (SELECT *, CASE WHEN {whole} THEN '' ELSE sku END AS told, {place} AS apart FROM odd)
    GROUP BY n, kind, told, apart"""


def _drawn(key: str, salt: str, share: float) -> str:
    return f"draw({key}, '{salt}', 1000000) < {round(share * 1_000_000)}"

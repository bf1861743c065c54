"""Generates conversions and everything that happens to them, as sets in SQL.

Every draw hashes the seed, the campaign, the conversion's number and the name of the draw, so a conversion and its
complete life are the same however and whenever they are generated.
"""

import duckdb

from .catalog import CITIES, PARTNERS, PRODUCTS
from .feed import insert_generated
from .rules import Rules
from .times import NEVER, sql_time

FIRST_NUMBER = 100_000
SERIAL_SHIFT = 40
KINDS_THAT_CHANGE_ITEMS = "(0, 1, 2, 3, 4)"


def grow(
    connection: duckdb.DuckDBPyConnection, rules: Rules, *, first_day: int, end_day: int, first_serial: int = 0
) -> None:
    """Add the conversions of days `[first_day, end_day)` with everything that will happen to them."""
    connection.execute(_conversions(first_day, end_day, first_serial, rules))
    connection.execute(_LIVES.format(touching=_touching(rules), **_moments(rules)))
    connection.execute(_lines(rules))
    connection.execute(_TOTALS)
    connection.execute(_actions(rules))
    connection.execute(_versions(rules))
    connection.execute(_ITEMS)
    connection.execute(insert_generated(rules))
    connection.execute("DROP TABLE conversions; DROP TABLE lives; DROP TABLE lines; DROP TABLE totals")


def _conversions(first_day: int, end_day: int, first_serial: int, rules: Rules) -> str:
    """Select the conversions of some days: who, when, and the instant at which each locks."""
    return f"""
CREATE OR REPLACE TEMP TABLE conversions AS
WITH days AS (
    SELECT c.*, seed, d, unnest(range((d * rate + 999999) // 1000000, ((d + 1) * rate + 999999) // 1000000)) AS i
    FROM campaigns c, settings, range({first_day}, {end_day}) t(d)
    WHERE serial >= {first_serial} AND d >= first_day
), born AS (
    SELECT serial, id AS campaign_id, shared_day, lock_days, closed, (CAST(serial AS BIGINT) << {SERIAL_SHIFT})
        + {FIRST_NUMBER} + i AS n, {FIRST_NUMBER} + i AS number,
        hash(seed, id, i) AS k,
        TIMESTAMP '1970-01-01' + to_days(CAST(d AS INTEGER)) + to_seconds(draw(k, 'event', 86400)) AS event,
        event - to_seconds(40 + draw(k, 'click', 86400)) AS referring,
        event + to_seconds(60 + draw(k, 'record', 840)) AS created
    FROM days
)
SELECT *, CAST(date_trunc('day', local(created)) AS TIMESTAMP) AS midnight,
    utc(CASE WHEN shared_day IS NULL THEN midnight + to_days(lock_days)
        ELSE date_trunc('month', midnight) + INTERVAL 1 MONTH + to_days(shared_day - 1) END) AS due,
    draw(k, 'open', 1000000) < {round(rules.open_ended * 1_000_000)} AS open_ended
FROM born WHERE created < closed
"""


def _moments(rules: Rules) -> dict[str, str]:
    return {
        "early_lock": "early" if rules.early_approval_moves_lock else "first_lock",
        "delay": str(rules.approval_delay_days),
    }


_LIVES = """
CREATE OR REPLACE TEMP TABLE lives AS
WITH chances AS (
    SELECT *, epoch(due) - epoch(created) AS span,
        draw(k, 'modify', 1000) < 150 AS modifies, draw(k, 'again', 1000) < 250 AS twice,
        draw(k, 'reverse', 1000) < 80 AS reverses, draw(k, 'restore', 1000) < 250 AS restores,
        draw(k, 'early', 1000) < 50 AS hastens
    FROM conversions
), plans AS (
    SELECT *,
        CASE WHEN modifies THEN created + to_seconds(floor(span * between_(k, 'm1', 0.05, 0.35))) END AS mod1,
        CASE WHEN modifies AND twice
            THEN created + to_seconds(floor(span * between_(k, 'm2', 0.40, 0.55))) END AS mod2,
        CASE WHEN reverses THEN created + to_seconds(floor(span * between_(k, 'r1', 0.58, 0.75))) END AS reversed,
        CASE WHEN reverses AND restores
            THEN created + to_seconds(floor(span * between_(k, 'r2', 0.78, 0.88))) END AS restored,
        reverses AND NOT restores AS lost,
        CASE WHEN reverses THEN 0.90 WHEN modifies THEN 0.60 ELSE 0.10 END AS settled,
        CASE WHEN hastens AND NOT lost
            THEN created + to_seconds(floor(span * between_(k, 'ea', settled, 0.98))) END AS early,
        CASE WHEN NOT open_ended THEN due END AS first_lock,
        CASE WHEN open_ended AND NOT lost AND early IS NULL AND draw(k, 'dates', 2) = 0
            THEN due + to_days(draw(k, 'dated', 90)) + to_seconds(draw(k, 'dated at', 86400)) END AS dated
    FROM chances
), locks AS (
    SELECT *, CASE WHEN early IS NOT NULL THEN {early_lock}
        WHEN dated IS NOT NULL THEN utc(date_trunc('day', local(dated)) + to_days(10)) ELSE first_lock END AS lock,
        CASE WHEN early IS NULL AND NOT lost THEN lock + to_days({delay}) END AS approved,
        (14 + draw(k, 'clear', 22)) * 86400 + draw(k, 'clear at', 14400) AS clear_after,
        CASE WHEN NOT lost THEN greatest(coalesce(approved, lock, early), coalesce(lock, early))
            + to_seconds(clear_after) END AS cleared
    FROM plans
)
SELECT *, {touching} AS touched FROM locks
"""


def _touching(rules: Rules) -> str:
    """Return the last instant before approval at which last-updated moves."""
    turns = "restored, reversed, " if rules.reversal_touches else ""
    return f"coalesce({turns}mod2, mod1, created)"


def _lines(rules: Rules) -> str:
    """Select 1 to 4 items per action, each as recorded (0) and after the first (1) and second (2) modification."""
    return f"""
CREATE OR REPLACE TEMP TABLE lines AS
WITH counted AS (
    SELECT n, k, mod1, mod2, [1, 1, 1, 1, 1, 2, 2, 2, 3, 4][1 + draw(k, 'lines', 10)] AS size,
        draw(k, 'twin', 1000000) < {round(rules.duplicate_skus * 1_000_000)} AS twin,
        draw(k, 'first', {len(PRODUCTS)}) AS first, CAST(0.04 + 0.02 * draw(k, 'rate', 5) AS DECIMAL(5, 4)) AS rate,
        draw(k, 'which', size) AS line1, (line1 + 1) % size AS line2,
        draw(k, 'how', 3) AS how1, draw(k, 'how2', 2) AS how2, unnest(range(size)) AS line
    FROM lives
), priced AS (
    SELECT * EXCLUDE (first), (first + CASE WHEN twin AND line = 1 THEN 0 ELSE line * 5 END) % {len(PRODUCTS)}
            AS product,
        [1, 1, 1, 1, 1, 1, 2, 2, 3, 4][1 + draw(hash(k, line), 'quantity', 10)] AS q0,
        mod1 IS NOT NULL AND line = line1 AS hit1, mod2 IS NOT NULL AND line = line2 AS hit2,
        CASE WHEN draw(hash(k, line), 'rebate', 8) = 0 THEN CAST(1 AS DECIMAL(18, 2)) ELSE 0 END AS rebate,
        CASE WHEN line = 0 AND draw(k, 'odd', 1000000) < {round(rules.odd_items * 1_000_000)}
            THEN CAST(1 AS DECIMAL(18, 2)) ELSE 0 END AS extra
    FROM counted
), recorded AS (SELECT p.*, CAST(price * q0 AS DECIMAL(18, 2)) AS s0 FROM priced p JOIN products ON product = place
), once AS (
    SELECT *, hit1 AND how1 = 2 AND size > 1 AS gone,
        CASE WHEN gone THEN NULL WHEN hit1 AND how1 <> 1 THEN CASE WHEN q0 > 1 THEN q0 - 1 ELSE 2 END
            ELSE q0 END AS q1,
        CASE WHEN gone THEN NULL WHEN hit1 AND how1 = 1 THEN CAST(s0 * 0.9 AS DECIMAL(18, 2))
            ELSE CAST(s0 * q1 / q0 AS DECIMAL(18, 2)) END AS s1
    FROM recorded
), twice AS (
    SELECT *, CASE WHEN hit2 AND how2 = 0 THEN CASE WHEN q1 > 1 THEN q1 - 1 ELSE 2 END ELSE q1 END AS q2,
        CASE WHEN hit2 AND how2 = 1 THEN CAST(s1 * 0.8 AS DECIMAL(18, 2))
            ELSE CAST(s1 * q2 / q1 AS DECIMAL(18, 2)) END AS s2
    FROM once
)
SELECT n, line, product, rebate, extra, hit1, hit2, q0, q1, q2, s0, s1, s2,
    CAST(s0 * rate AS DECIMAL(18, 2)) AS p0, CAST(s1 * rate AS DECIMAL(18, 2)) AS p1,
    CAST(s2 * rate AS DECIMAL(18, 2)) AS p2
FROM twice
"""


_TOTALS = """
CREATE OR REPLACE TEMP TABLE totals AS
SELECT n, CAST(sum(s0) AS DECIMAL(18, 2)) AS a0, CAST(sum(s1) AS DECIMAL(18, 2)) AS a1,
    CAST(sum(s2) AS DECIMAL(18, 2)) AS a2, CAST(sum(p0) AS DECIMAL(18, 2)) AS p0,
    CAST(sum(p1) AS DECIMAL(18, 2)) AS p1, CAST(sum(p2) AS DECIMAL(18, 2)) AS p2
FROM lines GROUP BY n
"""


def _actions(rules: Rules) -> str:
    """Insert what is fixed about each action."""
    own = "hash(k, 'oid')"
    shares = f"draw(k, 'shared oid', 1000000) < {round(rules.shared_oids * 1_000_000)}"
    before = f"hash((SELECT seed FROM settings), campaign_id, number - {FIRST_NUMBER} - 1)"
    oid = f"CASE WHEN {shares} THEN hash({before}, 'oid') ELSE {own} END" if rules.shared_oids else own
    return f"""
INSERT INTO actions
SELECT l.n, serial, concat(campaign_id, '.4636.', number),
    CASE WHEN draw(k, 'lead', 10) = 0 THEN '2241' ELSE '2240' END,
    CASE WHEN draw(k, 'lead', 10) = 0 THEN 'App Purchase' ELSE 'Sale' END,
    CASE WHEN draw(k, 'lead', 10) = 0 THEN 'IN_APP_PURCHASE' ELSE '' END,
    partner_id, partner_name, CAST(506720 + draw(k, 'ad', 40) AS VARCHAR), t.p0, t.a0, referring,
    wire_time(referring), event, wire_time(event), created, wire_time(created),
    CASE WHEN draw(k, 'call', 100) = 0 THEN 'CALL'
        ELSE ['CLICK_COOKIE', 'CLICK_COOKIE', 'CLICK_COOKIE', 'PROMOCODE', 'IMPRESSION_COOKIE'][
            1 + draw(k, 'referral', 5)] END,
    CASE WHEN draw(k, 'domain', 5) < 3 THEN domain ELSE '' END, md5(concat(k, 'ip')),
    CASE WHEN draw(k, 'promo', 5) = 0
        THEN ['SUMMERSALE2020', 'TEAM10', 'FREE SHIP', 'GRÜN5'][1 + draw(k, 'code', 4)] ELSE '' END,
    CAST(9217000000000 + {oid} % 1000000000 AS VARCHAR), upper(md5(concat(k, 'customer'))[:26]),
    CASE WHEN draw(k, 'post', 10) = 0 THEN '' ELSE post_code END,
    CASE WHEN draw(k, 'status', 10) < 6 THEN 'NEW' ELSE 'EXISTING' END,
    CASE WHEN draw(k, 'note', 25) = 0 THEN 'Gift: "wrap it", s''il vous plaît' ELSE '' END,
    CASE WHEN draw(k, 'call', 100) = 0 THEN '+18055550100' ELSE '' END,
    CASE WHEN draw(k, 'area', 5) = 0 THEN CAST(500 + draw(k, 'dma', 380) AS VARCHAR) ELSE 'n/a' END,
    city, region, country, CASE WHEN draw(k, 'shared', 2) = 0
        THEN concat('RT-', 10000000 + draw(k, 'shared id', 90000000)) ELSE '' END, clear_after
FROM lives l JOIN totals t ON t.n = l.n
JOIN partners p ON p.place = least(draw(k, 'partner', {len(PARTNERS)}), draw(k, 'other', {len(PARTNERS)}))
JOIN cities ci ON ci.place = draw(k, 'city', {len(CITIES)})
ORDER BY l.n
"""


def _versions(rules: Rules) -> str:
    """Insert one row for every moment of every life; kinds 0 to 8 are the moments in the order of a life."""
    lag = f"to_seconds(draw(hash(k, kind), 'lag', {rules.visibility_lag + 1}))"
    clearing = "cleared" if rules.clearing_touches else "touched"
    turned = "reversed", "restored"
    reversal, restoration = turned if rules.reversal_touches else ("coalesce(mod2, mod1, created)",) * 2
    return f"""
INSERT INTO versions
WITH moments AS (
    SELECT *, unnest([created, mod1, mod2, reversed, restored, early, dated, approved, cleared]) AS begun,
        unnest([0, 1, 2, 3, 4, 5, 6, 7, 8]) AS kind
    FROM lives
), reported AS (
    SELECT *, begun + {lag} AS reported_at FROM moments WHERE begun IS NOT NULL
), reported_in_order AS (
    SELECT *, coalesce(lead(begun) OVER life, {sql_time(NEVER)}) AS ended,
        max(reported_at) OVER (life ROWS UNBOUNDED PRECEDING) AS shown_from,
        CASE WHEN kind < 5 THEN first_lock ELSE lock END AS locking, CASE WHEN kind = 8 THEN cleared END AS paid,
        CASE WHEN mod2 IS NOT NULL THEN a2 WHEN mod1 IS NOT NULL THEN a1 ELSE a0 END AS af,
        CASE WHEN mod2 IS NOT NULL THEN p2 WHEN mod1 IS NOT NULL THEN p1 ELSE p0 END AS pf,
        CASE WHEN kind <= 4 THEN kind WHEN restored IS NOT NULL THEN 4 WHEN mod2 IS NOT NULL THEN 2
            WHEN mod1 IS NOT NULL THEN 1 ELSE 0 END AS last
    FROM reported JOIN totals t USING (n)
    WINDOW life AS (PARTITION BY n ORDER BY begun, kind)
)
SELECT n, serial, kind, begun, ended, shown_from,
    coalesce(lead(shown_from) OVER (PARTITION BY n ORDER BY begun, kind), {sql_time(NEVER)}),
    CASE WHEN kind = 3 THEN 'REVERSED' WHEN kind IN (5, 7, 8) THEN 'APPROVED' ELSE 'PENDING' END,
    event, created,
    CASE kind WHEN 0 THEN created WHEN 1 THEN mod1 WHEN 2 THEN mod2 WHEN 3 THEN {reversal}
        WHEN 4 THEN {restoration} WHEN 8 THEN {clearing} ELSE touched END,
    locking, paid,
    CASE kind WHEN 0 THEN p0 WHEN 1 THEN p1 WHEN 2 THEN p2 WHEN 3 THEN 0 ELSE pf END,
    CASE last WHEN 0 THEN p0 WHEN 1 THEN p1 - p0 WHEN 2 THEN p2 - p1 WHEN 3 THEN -pf ELSE pf END,
    CASE kind WHEN 0 THEN a0 WHEN 1 THEN a1 WHEN 2 THEN a2 WHEN 3 THEN 0 ELSE af END,
    CASE last WHEN 0 THEN a0 WHEN 1 THEN a1 - a0 WHEN 2 THEN a2 - a1 WHEN 3 THEN -af ELSE af END,
    coalesce(wire_time(locking), ''), coalesce(wire_time(paid), ''), NULL, NULL
FROM reported_in_order
ORDER BY n, begun, kind
"""


_ITEMS = f"""
INSERT INTO items
WITH states AS (
    SELECT l.*, v.kind, v.begun, v.shown_from, v.kind = 3 AS lost,
        CASE v.kind WHEN 0 THEN q0 WHEN 1 THEN q1 ELSE q2 END AS quantity,
        CASE v.kind WHEN 0 THEN s0 WHEN 1 THEN s1 WHEN 3 THEN s2 * 0 ELSE s2 END AS sale_amount,
        CASE v.kind WHEN 0 THEN p0 WHEN 1 THEN p1 WHEN 3 THEN p2 * 0 ELSE p2 END AS payout
    FROM lines l JOIN versions v ON v.n = l.n AND v.kind IN {KINDS_THAT_CHANGE_ITEMS} AND v.record IS NULL
    WHERE v.kind IN (0, 3, 4) OR (v.kind = 1 AND hit1) OR (v.kind = 2 AND hit2)
), periods AS (
    SELECT *, coalesce(lead(begun) OVER line_life, {sql_time(NEVER)}) AS ended,
        coalesce(lead(shown_from) OVER line_life, {sql_time(NEVER)}) AS shown_to
    FROM states WINDOW line_life AS (PARTITION BY n, line ORDER BY begun, kind)
)
SELECT n, line, begun, ended, shown_from, shown_to, product, quantity, sale_amount + extra, payout, rebate,
    CASE WHEN kind > 0 THEN begun END, CASE WHEN kind > 0 THEN wire_time(begun) ELSE '' END,
    [ '', 'ORDER_UPDATE', 'ORDER_UPDATE', 'ITEM_RETURNED', 'RESET'][1 + kind], NULL
FROM periods WHERE quantity IS NOT NULL
ORDER BY n, begun, line
"""

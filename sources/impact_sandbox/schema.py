"""The ledger's tables: what is fixed about an action, and its versions and items over time.

`begun` and `ended` say when a version is true in the world, `shown_from` and `shown_to` when the API shows it. A
version or an item written by hand carries its whole record as JSON (versions in both wire formats), a generated one is
defined by its columns. The same goes for the rows of the change feed, one for each item that a version changed. Times
that the API reports are kept as text beside their instants, so that pages are written fast.
"""

import duckdb
import pyarrow as pa

from .catalog import CITIES, PARTNERS, PRODUCTS
from .times import ZONE_NAME

TABLES = """
CREATE TABLE settings (account_sid VARCHAR, seed BIGINT);
CREATE TABLE campaigns (
    serial INTEGER, id VARCHAR, name VARCHAR, state VARCHAR, rate BIGINT, first_day BIGINT,
    shared_day INTEGER, lock_days INTEGER, fee DECIMAL(5, 4), closed TIMESTAMP
);
CREATE TABLE actions (
    n BIGINT, serial INTEGER, id VARCHAR, tracker_id VARCHAR, tracker_name VARCHAR, event_code VARCHAR,
    partner_id VARCHAR, partner_name VARCHAR, ad_id VARCHAR, intended_payout DECIMAL(18, 2),
    intended_amount DECIMAL(18, 2), referring TIMESTAMP, referring_text VARCHAR, event TIMESTAMP,
    event_text VARCHAR, created TIMESTAMP, created_text VARCHAR, referring_type VARCHAR, referring_domain VARCHAR,
    ip VARCHAR, promo_code VARCHAR, oid VARCHAR, customer_id VARCHAR, post_code VARCHAR, customer_status VARCHAR,
    note VARCHAR, caller_id VARCHAR, area VARCHAR, city VARCHAR, region VARCHAR, country VARCHAR,
    shared_id VARCHAR, clear_after BIGINT
);
CREATE TABLE versions (
    n BIGINT, serial INTEGER, kind INTEGER, begun TIMESTAMP, ended TIMESTAMP, shown_from TIMESTAMP,
    shown_to TIMESTAMP, state VARCHAR, event TIMESTAMP, created TIMESTAMP, updated TIMESTAMP, locking TIMESTAMP,
    cleared TIMESTAMP, payout DECIMAL(18, 2), delta_payout DECIMAL(18, 2), amount DECIMAL(18, 2),
    delta_amount DECIMAL(18, 2), locking_text VARCHAR, cleared_text VARCHAR, record VARCHAR, typed VARCHAR
);
CREATE TABLE items (
    n BIGINT, line INTEGER, begun TIMESTAMP, ended TIMESTAMP, shown_from TIMESTAMP, shown_to TIMESTAMP,
    product INTEGER, quantity INTEGER, sale_amount DECIMAL(18, 2), payout DECIMAL(18, 2), rebate DECIMAL(18, 2),
    adjusted TIMESTAMP, adjusted_text VARCHAR, reason VARCHAR, record VARCHAR
);
CREATE TABLE updates (
    n BIGINT, serial INTEGER, kind INTEGER, place INTEGER, updated TIMESTAMP, shown_from TIMESTAMP, shown_to TIMESTAMP,
    state VARCHAR, event TIMESTAMP, locking TIMESTAMP, disposition VARCHAR, sku VARCHAR, category VARCHAR,
    quantity VARCHAR, delta_amount VARCHAR, delta_payout VARCHAR, record VARCHAR, typed VARCHAR
);
"""

# Summer time is spelled out: over millions of dates that is three times as fast as the time zone database.
MACROS = f"""
CREATE MACRO draw(k, salt, below) AS CAST(hash(k, salt) % below AS INTEGER);
CREATE MACRO between_(k, salt, lo, hi) AS lo + (hi - lo) * (draw(k, salt, 1000000) / 1000000);
CREATE MACRO local(instant) AS timezone('{ZONE_NAME}', timezone('UTC', instant));
CREATE MACRO utc(local_time) AS timezone('UTC', timezone('{ZONE_NAME}', local_time));
CREATE MACRO march_sunday(t) AS day(t) - dayofweek(t) >= 8;
CREATE MACRO summer(instant) AS CASE
    WHEN month(instant - INTERVAL 9 HOUR) BETWEEN 4 AND 10 THEN true
    WHEN month(instant - INTERVAL 9 HOUR) = 11
        THEN day(instant - INTERVAL 9 HOUR) <= dayofweek(instant - INTERVAL 9 HOUR)
    WHEN month(instant - INTERVAL 9 HOUR) = 3
        THEN day(instant - INTERVAL 9 HOUR) >= 8 AND march_sunday(instant - INTERVAL 10 HOUR)
    ELSE false END;
CREATE MACRO wire_time(instant) AS CASE WHEN summer(instant)
    THEN strftime(instant - INTERVAL 7 HOUR, '%Y-%m-%dT%H:%M:%S-07:00')
    ELSE strftime(instant - INTERVAL 8 HOUR, '%Y-%m-%dT%H:%M:%S-08:00') END;
CREATE MACRO typed_time(instant) AS strftime(instant, '%Y-%m-%dT%H:%M:%S.000Z');
"""


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the ledger's tables, empty, with the catalog that conversions draw from."""
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(TABLES)
    connection.execute(MACROS)
    _load(connection, "partners", ("partner_id", "partner_name", "domain"), PARTNERS)
    _load(connection, "products", ("sku", "name", "category", "price"), PRODUCTS)
    _load(connection, "cities", ("city", "region", "country", "post_code"), CITIES)
    connection.execute("ALTER TABLE products ALTER price TYPE DECIMAL(18, 2)")


def _load(
    connection: duckdb.DuckDBPyConnection, name: str, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]
) -> None:
    values = dict(zip(columns, (list(column) for column in zip(*rows, strict=True)), strict=True))
    connection.register("loading", pa.table({"place": list(range(len(rows))), **values}))
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM loading")
    connection.unregister("loading")

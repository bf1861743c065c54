"""What else a comparison shows: what is systematic, what was not compared, what would match otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
from impact_source.errors import ConfigurationError

from . import comparison

_FEW = 20
"""So few orders may all be without an action; more are a mistake."""
_LOST = """
select
    (select count(*) from per_order) as orders, (select count(*) from per_action) as matched,
    (select string_agg(order_id, ', ') from (select order_id from per_order order by line limit 3)) as theirs,
    (select string_agg(oid, ', ') from (select oid from actions where oid is not null order by event_date desc limit 3))
        as ours,
    (select string_agg(name, ', ') from (
        select distinct action_tracker_name as name from actions where name is not null order by 1 limit 10
    )) as trackers
"""
_OUTSIDE = """
select
    count(*) as orders, strftime(min(ordered_at) at time zone $zone, '%Y-%m-%d %H:%M') as first,
    strftime(max(ordered_at) at time zone $zone, '%Y-%m-%d %H:%M') as last
from met
having not bool_or(in_bounds)
"""
_UNKNOWN_TYPES = """
select event_type, count(*) as orders from orders
where event_type <> '' and event_type not in (select event_type from types) group by 1 order by 2 desc limit 10
"""
_GIVEN = """
select count(amount) as amount, count(currency) as currency, count(status) as status, count(ordered_at) as ordered_at,
    bool_or(referred is not null) as tells, bool_or(referred) as referred
from orders
"""


def check_bounds(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Raise `ConfigurationError` if no order is of the time asked for: then nothing was compared."""
    for orders, first, last in connection.execute(_OUTSIDE, {"zone": zone}).fetchall():
        msg = (
            f"none of the {orders:,} orders lies between --since and --until, so there is nothing to compare: they are "
            f"from {first} to {last} ({zone}). Give the orders of that time, or other bounds"
        )
        raise ConfigurationError(msg)


def check_any_match(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise `ConfigurationError` if none of many orders has an action: then these are other ids."""
    (found,) = comparison.rows(connection, _LOST)
    if found["matched"] or found["orders"] < _FEW:
        return
    msg = (
        f"none of the {found['orders']:,} orders has an action, so these are not the ids that impact.com has. "
        f"Orders: {found['theirs']}. Actions: {found['ours']}"
    )
    if unknown := comparison.rows(connection, _UNKNOWN_TYPES):
        types = ", ".join(repr(one["event_type"]) for one in unknown)
        msg += f". Unknown event types: {types}; the account has {found['trackers']}"
    msg += f". {'. '.join(_hints(connection)) or 'Name the right column with --map order_id=COLUMN'}"
    raise ConfigurationError(msg)


def notes(connection: duckdb.DuckDBPyConnection, *, items: bool) -> list[str]:
    """Sentences for the user."""
    return [*_systematic(connection), *_not_compared(connection, items=items), *_hints(connection)]


def _systematic(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for one in comparison.rows(connection, "from ratios order by orders desc"):
        yield (
            f"In {one['orders']:,} of {one['pairs']:,} orders the action's amount is {one['ratio']:g} times the "
            f"order's ({one['currency']}): both sides count differently (tax, shipping, discount?). These are "
            "not listed, and amounts are not planned. Give amounts as impact.com counts them"
        )
    for one in comparison.rows(connection, "from other_currencies order by orders desc"):
        yield (
            f"{one['orders']:,} orders are in {one['currency']} and their actions in {one['action_currency']}, the "
            "account's currency: their amounts are not compared"
        )
    for one in comparison.rows(connection, _UNKNOWN_TYPES):
        yield f"The account has no event type {one['event_type']!r}, which {one['orders']:,} orders name"
    ((listed,),) = connection.execute("select count(*) from per_order where orders > 1").fetchall()
    ((all_,),) = connection.execute("select count(*) from per_order").fetchall()
    if listed > all_ / 2:
        yield f"{listed:,} of {all_:,} orders are listed more than once: give one row for each, and items by --items"


def _not_compared(connection: duckdb.DuckDBPyConnection, *, items: bool) -> Iterator[str]:
    (given,) = comparison.rows(connection, _GIVEN)
    if not given["status"]:
        yield "The orders have no status: returned and cancelled ones are not known"
    if not given["amount"]:
        yield "The orders have no amount: amounts are not compared"
    elif not given["currency"]:
        yield "The orders have no currency: amounts are compared as if both sides had one"
    if not given["tells"]:
        yield "Orders without an action are not looked for: a column `referred` or --referred says who should have one"
    ((since, until),) = connection.execute("select since, until from covered").fetchall()
    if since is None or until is None:
        yield "Actions without an order are not looked for: a column `ordered_at`, or --since and --until, says when"
    (coverage,) = comparison.rows(connection, "from coverage")
    if coverage["orderless"] and not coverage["complete"]:
        yield (
            f"{coverage['orderless']:,} of {coverage['actions']:,} actions of the time that the orders cover have no "
            "order: these are not all of its orders, so actions without one are not listed"
        )
    if items:
        sql = "select count(*) from partly where (event_type, key) not in (select event_type, key from by_item)"
        ((number,),) = connection.execute(sql).fetchall()
        if number:
            yield (
                f"The items of {number:,} partly returned orders are not known here, or have no Sku, so only their "
                "amounts are compared: `impact items` reads those that are not known"
            )
        sql = """
        select count(*) from met m
        where status = 'partly_returned' and in_bounds and key in (select key from items)
            and key in (select key from per_order group by key having count(*) > 1)
        """
        ((number,),) = connection.execute(sql).fetchall()
        if number:
            yield (
                f"The ids of {number:,} partly returned orders are also those of orders of another event type, which "
                "items do not name: only the amounts of these are compared"
            )


def _hints(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    (found,) = comparison.rows(connection, "hints.sql")
    for name in comparison.IGNORABLE:
        if found[name]:
            yield f"{found[name]:,} orders without an action would have one with --ignore {name}"

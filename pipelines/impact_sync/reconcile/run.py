"""`impact reconcile`: compares, records what was found, and says what can still be corrected."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dlt
import duckdb
import pyarrow as pa
from impact_source import account
from impact_source.dialect import instant, literal
from impact_source.errors import ConfigurationError
from impact_source.sql import in_utc
from impact_source.warehouse import Warehouse

from ..views import create_views, texts, zone_of
from ..warehouse.open import open_pipeline
from . import comparison, notes, words
from .asking import Ask
from .columns import NAMES
from .ledger import Ledger

SHOWN = 10
_SOON = "interval 7 days"
_REACH = """
select min(window_start) from sync_windows
where pass = 'updated' and outcome in ('whole', 'parted') and event_start is null
"""
_TOTALS = """
select kind, standing, remedy, currency, count(*) as differences,
    sum(commission) filter (commission > 0) as too_much, sum(commission) filter (commission < 0) as too_little
from lines
where standing <> 'settled'
group by 1, 2, 3, 4
order by case standing when 'open' then 1 else 2 end, 1, 4, 3
"""
# Those without a commission are one row of each change, whatever their currency.
_CHANGES = """
select
    change, case when commission is not null then currency end as currency, count(*) as differences,
    sum(commission) as commission
from lines group by change, commission is null, 2 order by all
"""
# What locks in the next days comes first, then the money.
_ORDER = f"""
standing <> 'open', remedy = 'nothing', not coalesce(locking_date <= (select as_of from asked) + {_SOON}, false),
abs(commission) desc nulls last, locking_date nulls last, order_id, sku
"""
_HEAD = """
select
    count(*) filter (standing <> 'settled') as differences,
    count(*) filter (standing = 'open' and remedy <> 'nothing') as correctable,
    count(*) filter (standing = 'locked') as locked, count(*) filter (change = 'settled') as settled,
    count(*) filter (change = 'locked unmended') as locked_unmended,
    (select count(*) from met where in_bounds) as orders,
    (select count(*) from met where in_bounds and action_id is not null) as matched
from lines
"""


@dataclass(frozen=True)
class Found:
    """What a reconciliation found."""

    head: dict[str, Any]
    """Its row in `reconciliations`."""
    totals: list[dict[str, Any]]
    """By kind, standing, remedy and currency."""
    changes: list[dict[str, Any]]
    """By change since earlier reconciliations, and currency."""
    foremost: list[dict[str, Any]]
    """The lines that matter most."""
    notes: list[str]
    planned: pa.Table
    """What a plan can correct, as rows of a file of corrections without their lines."""


def reconcile(ask: Ask) -> Found:
    """Compare the orders with the warehouse and store what differs. Sends nothing.

    Raises `ConfigurationError` for orders that cannot be read, do not fit the account or are not of the time asked for.
    """
    statuses, reasons = words.statuses(), words.reasons()
    with open_pipeline() as pipeline, comparison.workplace(ask.normalised) as connection:
        create_views(pipeline)  # a run that broke off may have left none
        warehouse, ledger = Warehouse(pipeline), Ledger(pipeline)
        as_of = _as_of(warehouse)
        _read(connection, ask, pipeline, statuses, as_of, _reach(warehouse))
        comparison.take_actions(connection, warehouse)
        comparison.match(connection)
        notes.check_bounds(connection, zone_of(pipeline).name)
        notes.check_any_match(connection)
        if ask.items:
            comparison.take_items(connection, warehouse)
        comparison.take_previous(connection, ledger.unsettled())
        comparison.find(connection)
        said = notes.notes(connection, items=ask.items is not None)
        found = _found(connection, _head(connection, ask, said), said, reasons)
        if ask.output:
            _write(connection, found.head, ask.output)
        ledger.add(found.head, _lines(connection, found.head))
        return found


def _found(
    connection: duckdb.DuckDBPyConnection, head: dict[str, Any], said: list[str], reasons: dict[str, str]
) -> Found:
    connection.execute("create table reasons (meaning text, code text)")
    connection.executemany("insert into reasons values (?, ?)", list(reasons.items()))
    foremost = f"select * from lines where standing <> 'settled' order by {_ORDER} limit {SHOWN}"
    return Found(
        head,
        comparison.rows(connection, _TOTALS),
        comparison.rows(connection, _CHANGES),
        comparison.rows(connection, foremost),
        said,
        connection.execute(comparison.text("planned.sql")).to_arrow_table(),
    )


def _read(  # noqa: PLR0913, PLR0917 - all that orders are read with
    connection: duckdb.DuckDBPyConnection,
    ask: Ask,
    pipeline: dlt.Pipeline,
    statuses: dict[str, str],
    as_of: dict[str, datetime],
    reach: datetime | None,
) -> None:
    zone = zone_of(pipeline).name
    bounds = account.Ask(since=ask.since, until=ask.until).range(ZoneInfo(zone))
    comparison.set_scope(connection, as_of, reach, bounds, referred=ask.referred)
    connection.executemany("insert into statuses values (?, ?)", list(statuses.items()))
    comparison.fill(connection, "given_orders", ask.orders.orders(pipeline))
    if unknown := comparison.unknown_statuses(connection):
        raise ConfigurationError(words.explain_statuses(unknown))
    if ask.items:
        comparison.fill(connection, "given_items", ask.items.items(pipeline))
    comparison.read_orders(connection, zone)


def _as_of(warehouse: Warehouse) -> dict[str, datetime]:
    """Up to when each campaign was read. Raises `ConfigurationError` if none was."""
    rows = warehouse.rows(texts()["synced_until"]) if warehouse.holds() and warehouse.holds("sync_windows") else []
    found = {str(id_): in_utc(at) for id_, at in rows if at}
    if not found:
        msg = "there are no actions yet to compare with: run `impact sync` first"
        raise ConfigurationError(msg)
    return found


def _reach(warehouse: Warehouse) -> datetime | None:
    ((start,),) = warehouse.rows(_REACH)
    reach: datetime | None = in_utc(start)
    return reach


def _head(connection: duckdb.DuckDBPyConnection, ask: Ask, said: list[str]) -> dict[str, Any]:
    (counts,) = comparison.rows(connection, _HEAD)
    (asked,) = comparison.rows(connection, "select as_of, since, until from asked")
    return {
        "run_id": uuid.uuid4().hex,
        "reconciled_at": datetime.now(UTC),
        "source": str(ask.orders),
        "notes": "\n".join(said) or None,
        "version": version("impact-sync"),
        **asked,
        **counts,
    }


def _selected(head: dict[str, Any]) -> str:
    """A query for the lines as the ledger has them."""
    run, at = literal(head["run_id"]), instant(head["reconciled_at"])
    own = {"run_id": run, "found_at": at, "first_found_at": f"coalesce(first_found_at, {at})"}
    return f"select {', '.join(f'{own.get(name, name)} as {name}' for name in NAMES)} from lines order by {_ORDER}"


def _lines(connection: duckdb.DuckDBPyConnection, head: dict[str, Any]) -> Iterator[pa.Table]:
    for batch in connection.sql(_selected(head)).to_arrow_reader(50_000):
        yield pa.Table.from_batches([batch])


def _write(connection: duckdb.DuckDBPyConnection, head: dict[str, Any], path: Path) -> None:
    """Write all lines as CSV. Raises `ConfigurationError`."""
    form = "format csv, header, timestampformat '%Y-%m-%dT%H:%M:%SZ'"
    try:
        connection.execute(f"copy ({_selected(head)}) to {literal(str(path))} ({form})")
    except duckdb.Error as error:
        msg = f"{path} cannot be written: {error}"
        raise ConfigurationError(msg) from None

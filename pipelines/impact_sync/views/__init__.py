"""Views over the tables: each a file of plain SQL, created after every load in the warehouse's own dialect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from graphlib import TopologicalSorter
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import dlt
from impact_source.account_zone import AccountZone, kept_zone
from impact_source.dialect import literal
from impact_source.items.queue import STATE, state_sql
from impact_source.parsing import in_zone
from impact_source.reference.lists import PARTNER_GROUPS
from impact_source.sql import Tables

from ..warehouse.open import source_state
from ..warehouse.versions import HISTORIES, history_views
from .functions.create import create_functions
from .header import comment, descriptions
from .in_place import Views

_BASE = "item_state"
"""The view that others are built on; the queue of items is derived from the same SQL."""
_ACCOUNT = "at time zone 'account'"
"""How SQL writes that it counts in the account's calendar."""
_COMMENTS = {
    "duckdb": "select view_name, comment from duckdb_views() where schema_name = %s and not internal "
    "and database_name = current_database()",
    "postgres": "select relname, obj_description(oid, 'pg_class') from pg_class where relkind = 'v' "
    "and relnamespace = to_regnamespace(quote_ident(%s))",
}
"""Views and their comments, by dialect; in other dialects every run creates all of them again."""
_COLUMNS = (
    "select table_name, column_name from information_schema.columns "
    "where table_schema = %s and table_catalog = current_database()"
)
_LOOKED_UP = {table.name: table for table in PARTNER_GROUPS.tables}
"""Tables in which views only look something up: without them, that is NULL."""
_SOURCE = re.compile(r"(?<!epoch )\b(?:from|join) ([a-z]\w+)\b")
_OWN = re.compile(r"^(?:with )?(\w+) as \($", re.MULTILINE)


@cache
def texts(time_zone: str = "UTC") -> dict[str, str]:
    """The SQL of every view by name, in DuckDB's dialect, each after those that it is built on.

    `time_zone` is the IANA name of the zone whose days, weeks and months the views count in.
    """
    folder = files(__package__)
    found = {path.name[:-4]: path.read_text() for path in folder.iterdir() if path.name.endswith(".sql")}
    found = {name: localize(text, time_zone) for name, text in found.items()}
    found[_BASE] = STATE
    sources = {name: [other for other in sorted(reads(text)) if other in found] for name, text in sorted(found.items())}
    return {name: found[name] for name in TopologicalSorter(sources).static_order()}


def localize(sql: str, time_zone: str) -> str:
    """SQL that counts in the account's calendar (`at time zone 'account'`), with the IANA name of its zone put in."""
    return sql.replace(_ACCOUNT, f"at time zone {literal(time_zone)}")


def zone_of(pipeline: dlt.Pipeline) -> AccountZone:
    """The time zone that this warehouse counts in."""
    return kept_zone(source_state(pipeline), Tables(pipeline))


def clock_problem(tables: Tables, time_zone: str, instants: Sequence[datetime]) -> str:
    """What is wrong if clocks in a zone show another time in the warehouse than here; empty if they do not.

    Bounds are counted here, views in the warehouse: each has rules of its own, which are as old as its installation.
    """
    if time_zone == "UTC":
        return ""
    asked = (f"cast({literal(one.isoformat())} as timestamp with time zone) {_ACCOUNT}" for one in instants)
    ((*there,),) = tables.rows(localize(f"select {', '.join(asked)}", time_zone))
    for one, shown in zip(instants, there, strict=True):
        if (here := in_zone(one, ZoneInfo(time_zone)).replace(tzinfo=None)) != shown:
            return (
                f"in {time_zone} clocks show {shown:%Y-%m-%d %H:%M} in the warehouse and {here:%Y-%m-%d %H:%M} here at "
                f"{one:%Y-%m-%d %H:%M} UTC, so days and months differ by that: update the time zones (tzdata) of "
                "whichever is out of date"
            )
    return ""


def reads(text: str) -> set[str]:
    """The tables and views that a view's SQL names."""
    code = "\n".join(line for line in text.split("\n") if not line.startswith("--"))
    return set(_SOURCE.findall(code)) - set(_OWN.findall(code))


def complete(text: str, holds: Callable[[str], bool]) -> str:
    """The SQL of a view, with empty tables for those that do not exist and in which it only looks something up."""
    for name, table in _LOOKED_UP.items():
        if not holds(name):
            nulls = ", ".join(f"cast(null as varchar) as {column.name}" for column in table.columns)
            text = re.sub(rf"\b(from|join) {name}\b", rf"\1 (select {nulls} where false)", text)
    return text


def available(pipeline: dlt.Pipeline) -> dict[str, str]:
    """The SQL of the views whose tables exist, by name, each after those that it is built on."""
    tables = Tables(pipeline)
    wanted = history_views(pipeline.default_schema) if pipeline.default_schema_name else {}
    for name, full in texts(zone_of(pipeline).name).items():
        text = complete(full, tables.holds)
        if all(source in wanted or tables.holds(source) for source in reads(text)):
            wanted[name] = state_sql(tables) if name == _BASE else text
    return wanted


def create_views(pipeline: dlt.Pipeline) -> None:
    """Create the views whose tables exist and the functions over them, and again if they have changed."""
    create_over(Tables(pipeline), pipeline.dataset_name, available(pipeline), zone_of(pipeline).name)


def create_over(tables: Tables, dataset: str, found: dict[str, str], time_zone: str) -> None:
    """Create views, given by their SQL, each after those that it is built on, and the functions over them."""
    wanted = {name: (text, comment(text)) for name, text in found.items()}
    known = _COMMENTS.get(tables.dialect)
    there = dict(tables.execute(known, dataset)) if known else {}
    if any(there.get(name) != told for name, (_, told) in wanted.items()):
        _create(tables, dataset, wanted)
    create_functions(tables, dataset, found, reads, partial(localize, time_zone=time_zone))


def _create(tables: Tables, dataset: str, wanted: dict[str, tuple[str, str]]) -> None:
    names = {name: tables.name(name) for name in (*HISTORIES, *texts())}
    rendered = {name: tables.render(text) for name, (text, _) in wanted.items()}
    if tables.dialect not in _COMMENTS:  # not every warehouse replaces a view whose columns have changed
        for name in reversed(names):
            tables.execute(f"drop view if exists {names[name]}")
        for name, text in rendered.items():
            tables.execute(f"create view {names[name]} as {text}")
        return
    # Together they take a tenth of the time, and nobody finds only half of them.
    with tables.transaction() as client:
        done = set(rendered)
        if tables.dialect == "postgres":
            done = Views(client, names, reads).replace({name: text for name, (text, _) in wanted.items()}, rendered)
        else:  # by their bare names: full ones begin with the file's, which may be attached under another
            views = (f"create or replace view {names[name]} as {text}" for name, text in rendered.items())
            client.execute_sql("; ".join(views))
        created = {name: told for name, told in wanted.items() if name in done}
        if comments := list(_comments(tables, created, client.execute_sql(_COLUMNS, dataset) or [])):
            client.execute_sql("; ".join(comments))


def _comments(tables: Tables, created: Mapping[str, tuple[str, str]], columns: Iterable[Any]) -> Iterator[str]:
    """Comment on views and their `columns`; those of the histories are described as their tables' are."""
    for name, (_, about) in created.items():
        yield f"comment on view {tables.name(name)} is {tables.literal(about)}"
    known = {name: descriptions(text) for name, (text, _) in created.items() if name not in HISTORIES}
    for view, column in columns:
        if told := known.get(view, {}).get(column):
            yield f"comment on column {tables.name(view)}.{tables.column(column)} is {tables.literal(told)}"

"""Views over the tables: each a file of plain SQL, created after every load in the warehouse's own dialect."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from graphlib import TopologicalSorter
from importlib.resources import files

import dlt
from impact_source.account_zone import AccountZone, kept_zone
from impact_source.dialect import literal
from impact_source.items.queue import STATE, state_sql
from impact_source.sql import Tables

from ..warehouse.versions import HISTORIES, history_views
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
    return kept_zone(pipeline.state.get("sources", {}).get("impact", {}), Tables(pipeline))


def reads(text: str) -> set[str]:
    """The tables and views that a view's SQL names."""
    code = "\n".join(line for line in text.split("\n") if not line.startswith("--"))
    return set(_SOURCE.findall(code)) - set(_OWN.findall(code))


def available(pipeline: dlt.Pipeline) -> dict[str, str]:
    """The SQL of the views whose tables exist, by name, each after those that it is built on."""
    tables = Tables(pipeline)
    wanted = history_views(pipeline.default_schema) if pipeline.default_schema_name else {}
    for name, text in texts(zone_of(pipeline).name).items():
        if all(source in wanted or tables.holds(source) for source in reads(text)):
            wanted[name] = state_sql(tables) if name == _BASE else text
    return wanted


def create_views(pipeline: dlt.Pipeline) -> None:
    """Create the views whose tables exist, and again if they have changed with this version."""
    wanted = {name: (text, _comment(text)) for name, text in available(pipeline).items()}
    tables = Tables(pipeline)
    known = _COMMENTS.get(tables.dialect)
    there = dict(tables.execute(known, pipeline.dataset_name)) if known else {}
    if any(there.get(name) != comment for name, (_, comment) in wanted.items()):
        _create(tables, wanted)


def _create(tables: Tables, wanted: dict[str, tuple[str, str]]) -> None:
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
        comments = [
            f"comment on view {names[name]} is {tables.literal(text)}"
            for name, (_, text) in wanted.items()
            if name in done
        ]
        if comments:
            client.execute_sql("; ".join(comments))


def _comment(text: str) -> str:
    """The comment of a view: its header, and a mark of its SQL."""
    lines = (line.removeprefix("--").strip() for line in text.split("\n") if line.startswith("--"))
    return f"{' '.join(lines)} [{hashlib.sha256(text.encode()).hexdigest()[:12]}]"

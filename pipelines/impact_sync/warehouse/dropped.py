"""Tables and columns that somebody dropped by hand: created again, and their contents read again."""

from __future__ import annotations

import logging

import dlt
from impact_source.errors import ConfigurationError
from impact_source.plan.cursors import Mark
from impact_source.reference.lists import LISTS
from impact_source.reference.marks import forget
from impact_source.sql import Tables

_log = logging.getLogger(__name__)
_THERE = {
    "duckdb": "select table_name, column_name from duckdb_columns() where schema_name = %s "
    "and database_name = current_database()",
    "postgres": "select table_name, column_name from information_schema.columns where table_schema = %s",
}
"""The existing columns, by destination; for other destinations nothing is known."""


def find_dropped(pipeline: dlt.Pipeline) -> dict[str, list[str]]:
    """Columns that were loaded and no longer exist, by table; all of them if the table is gone."""
    sql = _THERE.get(pipeline.destination.destination_name)
    if sql is None or not pipeline.default_schema_name:
        return {}
    there = set(Tables(pipeline).execute(sql, pipeline.dataset_name))
    tables = {
        str(table["name"]): [name for name in table["columns"] if (table["name"], name) not in there]
        for table in pipeline.default_schema.data_tables(seen_data_only=True)
    }
    return {name: columns for name, columns in tables.items() if columns}


def refuse_dropped(pipeline: dlt.Pipeline) -> None:
    """Raise `ConfigurationError` if something is gone: a command that only reads cannot create it again."""
    if dropped := find_dropped(pipeline):
        msg = f"{_described(pipeline, dropped)} dropped from the warehouse: run `impact sync` to read it again"
        raise ConfigurationError(msg)


def recreate_dropped(pipeline: dlt.Pipeline) -> None:
    """Recreate what is gone and have the next runs read it again: first forget whatever vouches for its rows.

    Raises `ConfigurationError` if a column is gone without which rows cannot be told apart.
    """
    dropped = find_dropped(pipeline)
    if not dropped:
        return
    what = _described(pipeline, dropped)
    _refuse_keys(pipeline, dropped)
    _log.warning("%s dropped from the warehouse; recreating it and reading its rows again", what)
    reference = [one.name for one in LISTS if any(table.name in dropped for table in one.tables)]
    if reference or {"actions", "action_updates"} & dropped.keys():
        _forget_cursors(pipeline, dropped, reference)
    _forget_items(pipeline, dropped)
    with pipeline.destination_client() as job_client:
        job_client.update_stored_schema(force=True)


def _forget_cursors(pipeline: dlt.Pipeline, dropped: dict[str, list[str]], reference: list[str]) -> None:
    """Forget how far the change feed was read, or all actions; and when these lists of what surrounds them were."""
    with pipeline.managed_state(extract_state=True) as state:
        source = state.get("sources", {}).get("impact", {})
        for name in reference:
            forget(source, name)
        if "actions" in dropped:
            source.pop("campaigns", None)
        for marks in source.get("campaigns", {}).values() if "action_updates" in dropped else ():
            for mark in (Mark.FEED, Mark.FEED_BEGUN):
                marks.pop(mark, None)
    pipeline.normalize()
    pipeline.load()


def _forget_items(pipeline: dlt.Pipeline, dropped: dict[str, list[str]]) -> None:
    """Forget of which actions the items are known, and what is known of change feeds, as far as rows are gone.

    Items that were derived are derived again only from a feed that is not known yet: of others, only those that change.
    """
    tables = Tables(pipeline)

    def forget(table: str, which: str = "1 = 1") -> None:
        if tables.columns(table) - set(dropped.get(table, ())):  # else it is gone, or never was
            tables.rows(f"delete from {table} where {which}")

    fetches = dropped.get("item_fetches", ())
    if "action_items" in dropped or "status" in fetches:
        forget("item_fetches")
    elif "changes" in fetches or "action_updates" in dropped:
        forget("item_fetches", "status = 'derived'")
    if "item_feeds" in dropped:
        forget("item_feeds")
    elif {"action_items", "action_updates", "item_fetches"} & dropped.keys():
        forget("item_feeds", "status <> 'contradicted'")


def _refuse_keys(pipeline: dlt.Pipeline, dropped: dict[str, list[str]]) -> None:
    for table, columns in dropped.items():
        known = pipeline.default_schema.tables[table]["columns"]
        needed = [name for name in columns if not known[name].get("nullable", True)]
        if needed and len(columns) < len(known):
            msg = (
                f"the column {needed[0]} of {pipeline.dataset_name}.{table} was dropped, and its rows cannot be "
                f"identified without it: drop the table (drop table {pipeline.dataset_name}.{table}) and run again "
                "to recreate it"
            )
            raise ConfigurationError(msg)


def _described(pipeline: dlt.Pipeline, dropped: dict[str, list[str]]) -> str:
    tables = pipeline.default_schema.tables
    words = [
        f"table {name}" if len(columns) == len(tables[name]["columns"]) else f"{', '.join(columns)} of {name}"
        for name, columns in sorted(dropped.items())
    ]
    return f"{'; '.join(words)} {'were' if len(words) > 1 else 'was'}"

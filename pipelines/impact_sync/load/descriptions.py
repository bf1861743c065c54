"""Column descriptions in the database itself, where `describe` and every catalogue show them."""

from __future__ import annotations

import dlt
from impact_source.dialect import literal
from impact_source.rows.ours import VERSIONS
from impact_source.sql import Tables

from ..warehouse.versions import HISTORIES

_MISSING = {
    "duckdb": "select table_name, column_name from duckdb_columns() where schema_name = %s and comment is null "
    "and database_name = current_database()",
    "postgres": "select table_name, column_name from information_schema.columns where table_schema = %s and "
    "col_description(format('%%I.%%I', table_schema, table_name)::regclass, ordinal_position) is null",
}
"""Columns without a comment, by destination; elsewhere dlt writes them itself, or they cannot be written."""


def describe(pipeline: dlt.Pipeline) -> None:
    """Write the schema's descriptions as comments on the columns that have none."""
    sql = _MISSING.get(pipeline.destination.destination_name)
    if sql is None:
        return
    tables, comments = Tables(pipeline), []
    hints = pipeline.default_schema.tables  # each access to the schema costs milliseconds
    for table, column in tables.execute(sql, pipeline.dataset_name):
        described = VERSIONS[HISTORIES[table]] if table in HISTORIES else table
        hint = hints.get(described, {}).get("columns", {}).get(column, {})
        if text := hint.get("description"):
            name = f"{tables.name(table)}.{tables.column(column)}"
            comments.append(f"comment on column {name} is {literal(text)}")
    if comments:  # all at once: one by one they take as long as a small load
        with tables.transaction() as client:
            client.execute_sql("; ".join(comments))

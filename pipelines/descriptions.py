"""Column descriptions in the database itself, where `describe` and every catalogue shows them."""

from __future__ import annotations

import dlt

_DUCKDB_MISSING = (
    "select table_name, column_name from duckdb_columns() where schema_name = %s and comment is null "
    "and database_name = current_database()"
)


def describe(pipeline: dlt.Pipeline) -> None:
    """Write the schema's descriptions as comments on the columns that have none. DuckDB only so far."""
    if pipeline.destination.destination_name != "duckdb":
        return
    with pipeline.sql_client() as client:
        missing = client.execute_sql(_DUCKDB_MISSING, pipeline.dataset_name) or []
        comments, tables = [], pipeline.default_schema.tables  # each look at the schema costs milliseconds
        for table, column in missing:
            hint = tables.get(table, {}).get("columns", {}).get(column, {})
            if text := str(hint.get("description") or "").replace("'", "''"):
                name = f"{client.make_qualified_table_name(table)}.{client.escape_column_name(column)}"
                comments.append(f"comment on column {name} is '{text}'")
        if comments:  # at once: one by one they take as long as a small load
            client.execute_sql("; ".join(comments))

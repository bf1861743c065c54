"""The comparison of a lake with a warehouse."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.compute as pc
from deltalake import DeltaTable
from impact_sync.lake.place import Lake

OURS = {"account", "row_hash"}
OF_THE_WAREHOUSE = "schema_versions"  # says which release wrote it, and nothing of the account
HIDDEN = {"removed", "resolved"}  # these mark what is to be deleted; always NULL


def assert_published(warehouse: Path, lake: Lake) -> None:
    """Every table and history of the warehouse is in the lake: the same columns, and the same values in every row."""
    with duckdb.connect() as connection:
        connection.execute(f"set timezone = 'UTC'; attach '{warehouse}' as warehouse (read_only)")
        tables = connection.execute(
            "select table_name, list(column_name order by column_index) from duckdb_columns() where database_name = "
            "'warehouse' and schema_name = 'impact' and (table_name in (select table_name from duckdb_tables()) "
            "or table_name in ('action_history', 'action_item_history')) "
            "and not starts_with(table_name, '_dlt') and table_name <> ? group by table_name",
            [OF_THE_WAREHOUSE],
        ).fetchall()
        assert len(tables) > 5
        for table, columns in tables:
            there = DeltaTable(lake.table(table)).to_pyarrow_table(filters=pc.field("account") == lake.account)
            connection.register("there", there)
            names = [name for name in columns if name in there.column_names]
            assert {name for name in columns if not name.startswith("_dlt") and name not in HIDDEN} <= set(names)
            for name in set(there.column_names) - set(names) - OURS:  # another account's
                assert there[name].null_count == len(there)
            listed = ", ".join(f'"{name}"' for name in names)
            here = f"select {listed} from warehouse.impact.{table}"
            published = f"select {listed} from there"
            assert connection.sql(here).types == connection.sql(published).types, table
            assert connection.execute(f"({here} except all {published}) limit 2").fetchall() == [], table
            assert connection.execute(f"({published} except all {here}) limit 2").fetchall() == [], table
            connection.unregister("there")

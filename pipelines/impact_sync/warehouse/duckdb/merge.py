"""Merges the files of a load package into their DuckDB table in one transaction, directly from the files.

Does in DuckDB's own SQL what dlt's delete-insert does through a staging table: rows whose key arrives are deleted; of
the arriving rows with the same key the latest by `dedup_sort` is inserted, unless it is marked `hard_delete`. Where
rows have versions, what they replace is kept; see `versions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from dlt.common.schema.typing import TColumnProp
from dlt.common.schema.utils import (
    get_columns_names_with_prop,
    get_dedup_sort_tuple,
    get_first_column_name_with_prop,
)
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.job_client_impl import SqlLoadJob
from dlt.destinations.job_impl import FollowupJobRequestImpl as Request
from impact_source.dialect import literal, quote
from typing_extensions import override

from ..versions import Merge

_GLOB = re.compile(r"[\[*?]")
UNLIMITED = "-1"
"""All the memory that there is, as DuckDB takes it."""
_MEMORY = ("112MB", "160MB", UNLIMITED)
"""What a merge is tried with in turn. The first is enough to insert a package, for which DuckDB would use three times
as much if it might and be no faster, and to replace some 50,000 rows. Very long texts take more."""
_MET = "impact_met"
# Always the same thread: DuckDB's allocator keeps freed memory for the thread that freed it, and dlt starts new ones.
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="impact-merge")


class MergeJob(SqlLoadJob):
    """Executes the statements of a file as one transaction."""

    @override
    def run(self) -> None:
        """Merge; dlt calls this in its own thread."""
        statements = Path(self._file_path).read_text(encoding="utf-8")
        transaction(self._job_client.sql_client.native_connection, statements)


def transaction(connection: duckdb.DuckDBPyConnection, statements: str) -> None:
    """Execute statements, separated by semicolons, as one transaction with no more memory than it needs."""
    _THREAD.submit(_transaction, connection, statements, *_MEMORY).result()


def _transaction(connection: duckdb.DuckDBPyConnection, statements: str, memory: str, *more: str) -> None:
    try:
        with held_to(memory, connection):
            connection.execute(f"begin; {statements}; commit")
    except duckdb.OutOfMemoryException:
        if not more:
            raise
        _transaction(connection, statements, *more)


@contextmanager
def held_to(memory: str, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Limit DuckDB's memory within the block; a failed transaction is rolled back."""
    ((shown,),) = connection.execute("select current_setting('memory_limit')").fetchall()
    usual = _settable(shown)
    try:
        connection.execute(f"set memory_limit = '{memory}'")
        yield
    finally:
        with suppress(duckdb.TransactionException):  # nothing failed, or only the commit, which rolls back itself
            connection.execute("rollback")
        connection.execute(f"set memory_limit = '{usual}'")


def _settable(shown: str) -> str:
    """A memory limit in a form that DuckDB accepts, unlike the form that it shows.

    The shown value is truncated, not rounded: set again as shown it would shrink each time. Without a limit DuckDB
    shows a size in PiB, a unit that it does not accept.
    """
    return UNLIMITED if shown.endswith("PiB") else re.sub(r"(\.\d) ", r"\g<1>01 ", shown)


def merge_request(
    connection: duckdb.DuckDBPyConnection,
    table: Any,  # noqa: ANN401 - dlt's table
    name: str,
    paths: Sequence[str],
    merge: Merge | None = None,
) -> Request:
    """The job that merges these files into the table called `name` in SQL; with `merge`, what they replace is kept."""
    # In that thread, none of our statements runs with the memory limit of another.
    return sql_request(table, _THREAD.submit(merge_sql, connection, table, name, paths, merge).result())


def sql_request(table: Any, statements: Sequence[str]) -> Request:  # noqa: ANN401 - dlt's table
    """The job that executes statements once the files of a table are there."""
    file = ParsedLoadJobFileName(table["name"], ParsedLoadJobFileName.new_file_id(), 0, "sql")
    request = Request(file.file_name())
    Path(request.new_file_path()).write_text(";\n".join(statements), encoding="utf-8")
    return request


def merge_sql(
    connection: duckdb.DuckDBPyConnection,
    table: Any,  # noqa: ANN401 - dlt's table
    name: str,
    paths: Sequence[str],
    merge: Merge | None = None,
) -> list[str]:
    """The statements that load parquet files into a table, by its hints and its write disposition."""
    files = f"read_parquet([{', '.join(map(path_literal, paths))}], union_by_name = true)"
    if table["write_disposition"] == "append":
        return [f"insert into {name} by name select * from {files}"]
    primary = ", ".join(_columns(table, "primary_key"))
    keys = ", ".join(_columns(table, "merge_key")) or primary
    kept = (
        [f"{quote(removed)} is not true"] if (removed := get_first_column_name_with_prop(table, "hard_delete")) else []
    )
    repeated = _repeated(connection, primary, paths)
    if merge is not None and (
        repeated or _meets(connection, keys, name, paths) or (merge.kept and _any(connection, merge.versions))
    ):
        return _merge_with_versions(merge, name, primary, files, repeated or 1)
    if repeated:
        latest = (
            f"select filename, file_row_number from {files} "
            f"qualify row_number() over (partition by {primary} {_order(table)}) = 1"
        )
        kept.append(f"(filename, file_row_number) in ({latest})")
    # With versions, there is nothing to delete here.
    delete = [f"delete from {name} where ({keys}) in (select ({keys}) from {files})"] if merge is None else []
    return [
        *delete,
        f"insert into {name} by name select * from {files} where {' and '.join(kept) or 'true'}",
    ]


def _merge_with_versions(merge: Merge, name: str, key: str, files: str, rounds: int) -> list[str]:
    """The statements that merge files into a table and keep what they replace.

    Only rows that meet others of their key, in the files, the table or the versions, go through the merge: often a few
    of many, and it reads them several times. The others are inserted.
    """
    known = f"select * from {name} where false"  # all columns: a file may lack some
    met = [f"select {key} from {files} group by all having count(*) > 1"]
    met += [f"select {key} from {held} semi join {files} using ({key})" for held in (name, *merge.kept_in)]
    rows = f"select *, concat(file_row_number, ' ', filename) as _dlt_row from {files}"
    meeting = f"from ({rows}) semi join ({' union all '.join(met)}) using ({key})"
    return [
        f"create temporary table {_MET} as {known} union all by name {meeting}",
        *merge.statements(name, _MET, "_dlt_row", rounds),
        f"insert into {name} by name select * from {files} anti join {_MET} using ({key}) where {merge.stays}",
        f"drop table {_MET}",
    ]


def _repeated(connection: duckdb.DuckDBPyConnection, key: str, paths: Sequence[str]) -> int:
    """How often a key occurs, if any occurs twice: to find the latest of each costs, and is rarely needed."""
    files = _files_now(paths)
    if connection.execute(f"select count(*) = count(distinct ({key})) from {files}").fetchone() == (True,):
        return 0
    ((most,),) = connection.execute(f"select count(*) from {files} group by ({key}) order by 1 desc limit 1").fetchall()
    return int(most)


def _meets(connection: duckdb.DuckDBPyConnection, key: str, name: str, paths: Sequence[str]) -> bool:
    """Whether the table has rows that are to be replaced: a first backfill has none."""
    return _any(connection, f"{name} where ({key}) in (select ({key}) from {_files_now(paths)})")


def _any(connection: duckdb.DuckDBPyConnection, rows: str) -> bool:
    return connection.execute(f"select 1 from {rows} limit 1").fetchone() is not None


def _files_now(paths: Sequence[str]) -> str:
    """The files where they are: the one that completes the table is about to be moved to the others."""
    now = [path if Path(path).exists() else path.replace("completed_jobs", "started_jobs") for path in paths]
    return f"read_parquet([{', '.join(map(path_literal, now))}])"


def _columns(table: Any, hint: TColumnProp) -> list[str]:  # noqa: ANN401 - dlt's table
    return [quote(column) for column in get_columns_names_with_prop(table, hint)]


def _order(table: Any) -> str:  # noqa: ANN401 - dlt's table
    column, order = get_dedup_sort_tuple(table) or (None, "")
    return f"order by {quote(column)} {order} nulls last" if column else ""


def path_literal(path: str) -> str:
    """A path as DuckDB reads it: no character in it matches other files."""
    return literal(_GLOB.sub(lambda sign: f"[{sign[0]}]", path))

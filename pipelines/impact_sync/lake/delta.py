"""One Delta table: reads an account's rows, and writes a difference in one commit."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import tenacity
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, SchemaMismatchError, TableNotFoundError

from .place import Lake, LakeFailed
from .rows import ACCOUNT, GONE

_ATTEMPTS = 20
_LONGEST_PAUSE = 5.0
_FILE_BYTES = 16 * 2**20
"""A commit rewrites each file that holds a changed row: small files leave most of a large table alone."""
_SMALL_FILES = 32
"""How many files of less than half that size one account may have before they are compacted: each commit adds some."""
# With more of either, a first publish of two million actions took two to three times the memory.
os.environ.setdefault("TOKIO_WORKER_THREADS", "1")
os.environ.setdefault("DELTARS_MAX_CONCURRENT_WRITERS", "1")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


def again(lake: Lake, work: Callable[[], Result]) -> Result:
    """Repeat `work` if another commit came in between; it must read the table again each time.

    Raises `LakeFailed` if that does not help.
    """
    try:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_conflict),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_exponential(0.1, max=_LONGEST_PAUSE) + tenacity.wait_random(0, 1),
            before_sleep=_log_retry,
            reraise=True,
        )(work)
    except (DeltaError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        msg = f"the lake {lake.url} failed: {reason}. What was published stays; run `impact publish` to continue"
        raise LakeFailed(msg) from error


def _conflict(error: BaseException) -> bool:
    return isinstance(error, DeltaError) and not isinstance(error, SchemaMismatchError | TableNotFoundError)


def _log_retry(state: tenacity.RetryCallState) -> None:
    _log.warning("%s; retrying", state.outcome and state.outcome.exception())


def open_table(lake: Lake, name: str, schema: pa.Schema) -> DeltaTable:
    """Open the table, or create it."""
    if (found := find_table(lake, name)) is not None:
        return found
    return DeltaTable.create(
        lake.table(name),
        schema,
        mode="ignore",  # another account may be a moment faster
        partition_by=[ACCOUNT],
        configuration={"delta.targetFileSize": str(_FILE_BYTES)},
        storage_options=lake.options or None,
    )


def find_table(lake: Lake, name: str) -> DeltaTable | None:
    """Open the table if it exists."""
    try:
        return DeltaTable(lake.table(name), storage_options=lake.options or None)
    except TableNotFoundError:
        return None


def read_columns(table: DeltaTable, account: str, columns: Sequence[str]) -> pa.RecordBatchReader:
    """Read some columns of an account's rows."""
    scanner = table.to_pyarrow_dataset().scanner(columns=list(columns), filter=pc.field(ACCOUNT) == account)
    return scanner.to_reader()


def append(table: DeltaTable, rows: pa.RecordBatchReader) -> None:
    """Add rows as they stream."""
    write_deltalake(table, rows, mode="append", schema_mode="merge")


def replace(table: DeltaTable, account: str, rows: pa.RecordBatchReader) -> None:
    """Replace all rows of the account by these, as they stream."""
    where = f"{ACCOUNT} = '{account}'"
    write_deltalake(table, rows, mode="overwrite", predicate=where, schema_mode="merge")


def merge(table: DeltaTable, account: str, key: Sequence[str], rows: pa.RecordBatchReader | pa.Table) -> None:
    """Add rows, replace those of the same key, delete those marked as gone: one commit."""
    # The account is a literal, because that is what the conflict check understands.
    same = " and ".join([f"t.{ACCOUNT} = '{account}'", *(f't."{name}" = s."{name}"' for name in key)])
    (
        # With the rows in memory, files that cannot hold any of them are skipped.
        table.merge(rows, same, source_alias="s", target_alias="t", merge_schema=True, streamed_exec=False)
        .when_matched_delete(f"s.{GONE}")
        .when_matched_update_all(except_cols=[GONE])
        .when_not_matched_insert_all(f"not s.{GONE}", except_cols=[GONE])
        .execute()
    )


def delete_rows(lake: Lake, name: str) -> int:
    """Delete an account's rows, and return how many there were."""
    table = find_table(lake, name)
    if table is None:
        return 0
    found = table.delete(f"{ACCOUNT} = '{lake.account}'")
    return int(found.get("num_deleted_rows") or 0)


def compact(table: DeltaTable, account: str) -> None:
    """Compact an account's small files, and drop files that no version of the past week needs."""
    files = pa.table(table.get_add_actions(flatten=True))
    sizes = files.filter(pc.equal(files[f"partition.{ACCOUNT}"], account))["size_bytes"]
    if (pc.sum(pc.less(sizes, _FILE_BYTES // 2)).as_py() or 0) < _SMALL_FILES:
        return
    table.optimize.compact(partition_filters=[(ACCOUNT, "=", account)])
    table.vacuum(dry_run=False)

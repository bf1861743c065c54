"""Which rows of a table to write: DuckDB compares the rows here with keys and hashes there, on disk if necessary.

The rows here are streamed twice, to hash them and to write some of them, so that no table is in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import duckdb
import pyarrow as pa
from impact_source.dialect import literal, quote

ACCOUNT, HASH, GONE = "account", "row_hash", "_gone"
_ROWS_A_BATCH = 50_000


@dataclass(frozen=True)
class Shape:
    """A table of the warehouse in the lake: its key, and its columns with their types."""

    name: str
    key: tuple[str, ...]
    columns: pa.Schema

    @property
    def published(self) -> pa.Schema:
        """The columns in the lake: the account, ours, and the hash for the next comparison."""
        return pa.schema([(ACCOUNT, pa.string()), *((f.name, f.type) for f in self.columns), (HASH, pa.int64())])


class Difference:
    """The rows of one table that differ in the lake or are missing there, and the keys that are only there."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        shape: Shape,
        here: Callable[[], pa.RecordBatchReader],
        there: pa.RecordBatchReader,
        *,
        whole: bool,
    ) -> None:
        self._connection, self._shape, self._here = connection, shape, here
        key = ", ".join(map(quote, shape.key))
        self._make("here", here(), f"{key}, {_hash(shape)} as {HASH}")
        self._make("there", there, "*")
        differs = "" if whole else f"anti join there using ({key}, {HASH})"
        connection.execute(f"create or replace temp table wanted as from here {differs}")
        connection.execute(f"create or replace temp table gone as from there anti join here using ({key})")
        self.here, self.held = self._count("here"), self._count("there")
        self.changed, self.gone = self._count("wanted"), self._count("gone")

    def rows(self, account: str) -> pa.RecordBatchReader:
        """The rows to write, and for each key to delete a row with the key alone and `_gone` true."""
        key = ", ".join(map(quote, self._shape.key))
        self._connection.register("stream", self._here())
        sql = (
            f"select '{account}' as {ACCOUNT}, stream.*, wanted.{HASH}, false as {GONE} "
            f"from stream join wanted using ({key}) "
            f"union all by name select '{account}' as {ACCOUNT}, {key}, true as {GONE} from gone"
        )
        return self._connection.sql(sql).to_arrow_reader(_ROWS_A_BATCH)

    def _make(self, name: str, data: pa.RecordBatchReader | pa.Table, columns: str) -> None:
        self._connection.register("stream", data)
        self._connection.execute(f"create or replace temp table {name} as select {columns} from stream")
        self._connection.unregister("stream")

    def _count(self, name: str) -> int:
        row = self._connection.execute(f"select count(*) from {name}").fetchone()
        return int(row[0]) if row else 0


def _hash(shape: Shape) -> str:
    """Hash every value that is not NULL together with its column's name: a new column changes no old row.

    The hash is DuckDB's own, since building strings for a digest would cost more than everything else. The order of
    its values does not matter, so each value is hashed again with its column's name: swapped values are a change. If
    another version of DuckDB hashes differently, every row is written once more.
    """
    names = ((quote(field.name), literal(field.name)) for field in shape.columns)
    parts = (
        f"case when {name} is null then 0::ubigint else hash(xor(hash({name}), hash({salt}))) end"
        for name, salt in names
    )
    return f"cast({reduce('xor({}, {})'.format, parts)} >> 1 as bigint)"

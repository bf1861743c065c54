"""Which rows of a table to write: DuckDB compares the rows here with keys and hashes there, on disk if necessary.

The rows here are streamed twice, to hash them and to write some of them, so that no table is in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce

import duckdb
import pyarrow as pa
from impact_source.dialect import literal, quote

ACCOUNT, HASH, GONE = "account", "row_hash", "_gone"
_MERGED_AT_MOST = 100_000
"""A merge holds its rows in memory. Where more differ, most files have to be written again anyway."""


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
        self.replaces = whole or (self.held > 0 and self.changed + self.gone > _MERGED_AT_MOST)
        """Whether to write all rows of the account again, instead of those that differ."""

    def rows(self, account: str) -> pa.RecordBatchReader:
        """The rows that differ, and for each key to delete a row with the key alone and `_gone` true."""
        key = ", ".join(map(quote, self._shape.key))
        schema = self._shape.published.append(pa.field(GONE, pa.bool_()))
        sql = (
            f"select '{account}' as {ACCOUNT}, stream.*, {HASH}, false as {GONE} from stream join wanted using ({key})"
        )
        gone = (
            f"from ({sql}) where false "
            f"union all by name select '{account}' as {ACCOUNT}, {key}, true as {GONE} from gone"
        )

        def batches() -> Iterator[pa.RecordBatch]:
            yield from self._select(self._here(), sql, schema)
            self._connection.register("stream", self._shape.columns.empty_table())
            yield from self._connection.execute(gone).to_arrow_table().cast(schema).to_batches()

        return pa.RecordBatchReader.from_batches(schema, batches())

    def all_rows(self, account: str) -> pa.RecordBatchReader:
        """All rows, however many, in little memory."""
        schema = self._shape.published
        sql = f"select '{account}' as {ACCOUNT}, *, {_hash(self._shape)} as {HASH} from stream"
        return pa.RecordBatchReader.from_batches(schema, self._select(self._here(), sql, schema))

    def _make(self, name: str, data: pa.RecordBatchReader, columns: str) -> None:
        sql = f"select {columns} from stream"
        self._connection.register("stream", data.schema.empty_table())
        self._connection.execute(f"create or replace temp table {name} as {sql}")
        for _ in self._each(data):
            self._connection.execute(f"insert into {name} {sql}")

    def _select(self, data: pa.RecordBatchReader, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for _ in self._each(data):
            yield from self._connection.execute(sql).to_arrow_table().cast(schema).to_batches()

    def _each(self, data: pa.RecordBatchReader) -> Iterator[None]:
        """Show DuckDB one batch after the other as `stream`: of a reader, many are held at once."""
        for batch in data:
            self._connection.register("stream", pa.Table.from_batches([batch]))
            yield
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

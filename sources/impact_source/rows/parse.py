"""Parses the records of a page into a typed Arrow table; what cannot be typed is set aside, never dropped.

The fast path reads all records at once with an explicit schema of strings and casts column by column. Records that do
not fit it (numbers instead of strings, unknown fields, records that are not objects) take the exact path: record by
record, numbers as written, which also teaches the reader the new fields.

A value that does not fit its column costs only that cell: it is NULL, and the record is also kept as it came. Only
records without a usable key, or whose needed date cannot be read, do not become rows.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from . import cells
from .cells import Misfit
from .columns import SYNCED_AT, Column, Kind
from .framing import as_rows
from .naming import column_name
from .nesting import flatten
from .texts import Record, is_text, parse_exactly, parse_strings, read_texts

_VALUES = 2
"""Levels down to the values of a record: the list, the record."""
_Misfits = dict[str, Misfit]
"""By field name."""


@dataclass(frozen=True)
class Rejected:
    """A record that could not be typed, or not completely: its id if it has one, its JSON as it came, and why.

    `null_columns` are those that are NULL in the row that it became anyway; empty if it became no row. `ask_again` is
    false if the value is clear and its column cannot hold it: the next answer would be the same.
    """

    id: str | None
    raw: str
    reason: str
    null_columns: tuple[str, ...] = ()
    ask_again: bool = True


@dataclass(frozen=True)
class Records:
    """The result of parsing one page: `table` and `rejected` together hold every record.

    `misfits` are the rows in `table` that lack a value because it did not fit.
    """

    table: pa.Table
    rejected: tuple[Rejected, ...] = ()
    misfits: tuple[Rejected, ...] = ()


class Reader:
    """Turns JSON lists of one kind of object into tables; remembers fields that are not declared.

    `columns` are the declared ones; the first is the key, which every record must have unless `keyed` is false. Safe to
    share between threads.
    """

    def __init__(self, columns: tuple[Column, ...], *, keyed: bool = True) -> None:
        self._key, self._keyed = columns[0], keyed
        self._columns = columns
        self._names = {column.name for column in columns}
        self._strings_only = True
        self._lock = threading.Lock()

    def read(self, records: bytes | memoryview, read_at: datetime) -> Records:
        """Table of the JSON list `records`, with `read_at` as its `synced_at`; the rest is in `rejected`.

        Text columns hold text; `""` and `null` are NULL. Raises `ValueError` if `records` is not a JSON list.
        """
        try:
            return self._read(records, read_at)
        except RecursionError:
            return self._read(flatten(bytes(records), _VALUES), read_at)

    def _read(self, records: bytes | memoryview, read_at: datetime) -> Records:
        columns = self._columns
        texts = None
        if self._strings_only:
            texts = parse_strings(pa.py_buffer(as_rows(records)), columns)
        broken: dict[int, str] = {}
        if texts is None:
            raws = msgspec.json.decode(records, type=list[msgspec.Raw])
            rows, broken = parse_exactly(raws)
            columns = self._learn(rows)
            texts = read_texts(rows, columns)
        typed, misfits = _cast(texts, columns)
        if self._keyed and texts[self._key.name].null_count:
            keyless = pc.indices_nonzero(pc.is_null(texts[self._key.name])).to_pylist()
            broken = dict.fromkeys(keyless, f"it has no {self._key.field}") | broken
        if not broken and not misfits:
            return Records(self._finish(typed, columns, read_at))
        raws = msgspec.json.decode(records, type=list[msgspec.Raw])
        odd = [
            (row, _rejected(texts[self._key.name][row].as_py(), raws[row], broken.get(row), misfits[row], columns))
            for row in sorted(broken | misfits)
        ]
        left_out = {row for row, record in odd if not record.null_columns}
        keep = pa.array([row not in left_out for row in range(len(raws))])
        return Records(
            self._finish([values.filter(keep) for values in typed], columns, read_at),
            tuple(record for row, record in odd if row in left_out),
            tuple(record for row, record in odd if row not in left_out),
        )

    def _learn(self, rows: list[Record]) -> tuple[Column, ...]:
        """Declare the fields that are new in `rows` as text columns at the end."""
        with self._lock:
            known = {column.field for column in self._columns}
            for field in dict.fromkeys(field for row in rows for field in row if field not in known):
                name = column_name(field, self._names)
                self._names.add(name)
                self._columns += (Column(field, name, Kind.TEXT, f"{field}, as the API sends it; not documented"),)
            self._strings_only = all(is_text(value) for row in rows[:10] for value in row.values())
            return self._columns

    def _finish(self, typed: list[pa.Array], columns: tuple[Column, ...], read_at: datetime) -> pa.Table:
        """The table, with a key that is not nullable (merging relies on it) and `synced_at` as the last column."""
        rows = len(typed[0])
        stamp = pa.array([read_at], SYNCED_AT.kind.arrow).take(pa.array([0] * rows, pa.int8()))
        key = self._key if self._keyed else None
        schema = [pa.field(column.name, column.kind.arrow, nullable=column is not key) for column in columns]
        schema.append(pa.field(SYNCED_AT.name, SYNCED_AT.kind.arrow))
        arrays: list[Any] = [*typed, stamp]
        return pa.table(arrays, schema=pa.schema(schema))


def empty(columns: tuple[Column, ...]) -> pa.Table:
    """A table without rows that has every declared column."""
    return Reader(columns).read(b"[]", datetime.now(UTC)).table


def without_nul(table: pa.Table) -> pa.Table:
    """The table with the symbol for NUL instead of each NUL: not every warehouse can hold one in a text."""
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_string(field.type) and pc.any(pc.match_substring(column, "\x00")).as_py():
            table = table.set_column(place, field, pc.replace_substring(column, "\x00", "\u2400"))
    return table


def _cast(texts: dict[str, pa.Array], columns: tuple[Column, ...]) -> tuple[list[pa.Array], dict[int, _Misfits]]:
    """Columns cast to their types, NULL where a cell does not fit, and those cells by row."""
    typed: list[pa.Array] = []
    misfits: dict[int, _Misfits] = defaultdict(dict)
    for column in columns:
        found = cells.cast(texts[column.name], column.kind)
        typed.append(found.values)
        for row, misfit in found.misfits.items():
            shown = f"{column.field} is {misfit.reason}: {texts[column.name][row].as_py()!r}"[:500]
            misfits[row][column.name] = Misfit(shown, misfit.ask_again)
    return typed, misfits


def _rejected(
    id_: str | None, raw: msgspec.Raw, broken: str | None, misfits: _Misfits, columns: tuple[Column, ...]
) -> Rejected:
    """A record that is `broken` altogether or in some cells; it becomes a row unless one of these is needed."""
    text = bytes(raw).decode(errors="replace")
    reason = broken or "; ".join(misfit.reason for misfit in misfits.values())
    if broken or any(column.needed and column.name in misfits for column in columns):
        return Rejected(id_, text, reason)
    return Rejected(id_, text, reason, tuple(misfits), any(misfit.ask_again for misfit in misfits.values()))

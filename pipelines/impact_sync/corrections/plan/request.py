"""Reads what is requested: a CSV or Parquet file or a query becomes one table of texts, with the line of each row.

Nothing is guessed: a column with an unknown name, a row with a cell too many, and bytes that are not UTF-8 are errors
that name the line. Numbers stay as written; `validate.sql` reads them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
from dlt.common.normalizers.naming.snake_case import NamingConvention
from impact_source.errors import ConfigurationError

from ...warehouse.duckdb.merge import path_literal
from ...warehouse.user_query import run_query

COLUMNS = (
    *("action_id", "action_tracker_id", "order_id", "kind", "reason", "disposition_code", "sku", "amount", "delta"),
    *("quantity", "category", "customer_status", "currency", "note"),
)
_ALIASES = {"item_sub_total_delta": "delta", "item_subtotal_delta": "delta", "oid": "order_id"}
_NEEDED = ("kind", "reason")
_AS_WRITTEN = ("sku",)
"""Columns in which leading and trailing blanks count."""
_DELIMITERS = ",;\t|"
_naming = NamingConvention()

EXAMPLE = files(__package__) / "example.csv"
"""A file to start from."""


def read_file(path: Path) -> pa.Table:
    """The rows of a file: `line`, then `COLUMNS` as text, NULL for an empty cell. Raises `ConfigurationError`."""
    if not path.is_file():
        msg = f"there is no file {path}"
        raise ConfigurationError(msg)
    if path.suffix.lower() in (".parquet", ".pq"):
        with duckdb.connect() as connection:
            try:
                found = connection.execute(f"from read_parquet({path_literal(str(path))})").to_arrow_table()
            except duckdb.Error as error:
                msg = f"{path} cannot be read as Parquet: {error}"
                raise ConfigurationError(msg) from None
            return typed(found, str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 (byte {error.start + 1:,}): save it as CSV UTF-8"
        raise ConfigurationError(msg) from None
    except OSError as error:
        msg = f"{path} cannot be read: {error}"
        raise ConfigurationError(msg) from None
    if "\0" in text:  # as in UTF-16 of plain letters
        msg = f"{path} contains NUL bytes: save it as CSV UTF-8"
        raise ConfigurationError(msg)
    return _table(_csv_rows(text, str(path)), str(path))


def read_query(pipeline: dlt.Pipeline, sql: str) -> pa.Table:
    """The rows of a query in the warehouse, which must not change anything there; in the form of `read_file`."""
    return typed(run_query(pipeline, sql), "the query")


def typed(found: pa.Table, source: str) -> pa.Table:
    """A table with columns of any type as texts, with rows numbered from 1; numbers are written unambiguously.

    Three decimals would read as thousands; a fourth one makes them decimals.
    """
    asked = found.rename_columns(_header(found.column_names, source))
    columns = []
    for field in asked.schema:
        text = f"cast({field.name} as varchar)"
        if pa.types.is_decimal(field.type) or pa.types.is_floating(field.type):
            text = f"regexp_replace(regexp_replace({text}, '(\\.\\d*?)0+$', '\\1'), '\\.$', '')"
            text = f"regexp_replace({text}, '(\\.\\d{{3}})$', '\\10')"
        columns.append(f"nullif({text if field.name in _AS_WRITTEN else f'trim({text})'}, '') as {field.name}")
    with duckdb.connect() as connection:
        connection.register("given", asked)
        texts = connection.execute(f"select {', '.join(columns)} from given").to_arrow_table()
    rows = texts.to_pylist()
    return _table([asked.column_names, *([number, *row.values()] for number, row in enumerate(rows, 1))], source)


def _csv_rows(text: str, source: str) -> Iterator[Sequence[Any]]:
    """The header, then each row, its first line number before its cells."""
    lines = io.StringIO(text, newline="")
    delimiter = max(_DELIMITERS, key=lines.readline().count)
    lines.seek(0)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line, header = 1, None
    try:
        for row in reader:
            if header is None:
                header = _header(row, source)
                yield header
            elif row:
                if len(row) != len(header):
                    cells_found = f"{len(row)} cells for {len(header)} columns (separator {delimiter!r})"
                    msg = f"{source}, line {line}: {cells_found}"
                    raise ConfigurationError(msg)
                cells = (c if n in _AS_WRITTEN else c.strip() for n, c in zip(header, row, strict=True))
                yield [line, *(cell or None for cell in cells)]
            line = reader.line_num + 1
    except csv.Error as error:
        msg = f"{source}, line {line}: {error}"
        raise ConfigurationError(msg) from None


def _header(found: Sequence[str], source: str) -> list[str]:
    """Our names of the columns."""
    names = list(map(_name, found))
    known = f"the columns are {', '.join(COLUMNS)}"
    if unknown := [raw for raw in found if _name(raw) not in COLUMNS]:
        msg = f"{source}: unknown column {', '.join(map(repr, unknown))}; {known}"
        raise ConfigurationError(msg)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        msg = f"{source}: duplicate column {', '.join(twice)}"
        raise ConfigurationError(msg)
    lacks = [name for name in _NEEDED if name not in names]
    if not lacks and "action_id" not in names and not {"action_tracker_id", "order_id"} <= set(names):
        lacks = ["action_id (or action_tracker_id and order_id)"]
    if lacks:
        msg = f"{source}: missing column {', '.join(lacks)}; {known}"
        raise ConfigurationError(msg)
    return names


def _name(raw: str) -> str:
    """Our name of a column, which may be written as in the API."""
    name = raw.strip() and _naming.normalize_identifier(raw.strip())
    return _ALIASES.get(name, name)


def _table(rows: Iterator[Sequence[Any]] | list[Sequence[Any]], source: str) -> pa.Table:
    """The rows that are not empty; the first names their columns, each other row has its line before its cells."""
    coming = iter(rows)
    names = next(coming, None)
    if names is None:
        msg = f"{source} is empty"
        raise ConfigurationError(msg)
    filled = [row for row in coming if any(cell is not None for cell in row[1:])]
    if not filled:
        msg = f"{source} has no rows: there is nothing to plan"
        raise ConfigurationError(msg)
    cells: dict[str, list[Any]] = {"line": [row[0] for row in filled]}
    cells |= {name: [row[place] for row in filled] for place, name in enumerate(names, 1)}
    columns = {"line": pa.array(cells["line"], pa.int64())}
    columns |= {name: pa.array(cells.get(name, [None] * len(filled)), pa.string()) for name in COLUMNS}
    return pa.table(columns)


def shown(sql: str) -> str:
    """A query on one line, as the journal records its source."""
    return re.sub(r"\s+", " ", sql).strip()[:500]

"""Reads a CSV or Parquet file, or rows of a query, batch by batch, so that a large table is never in memory at once."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from importlib.resources import files
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from impact_source.errors import ConfigurationError

from ..warehouse.duckdb.merge import path_literal
from .form import Form

MACROS = files(__package__).joinpath("macros.sql").read_text()
"""DuckDB macros that read the numbers in such a table."""
_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""The first line that Excel writes and understands."""
_SHORTENED = r"^\d([.,]\d+)?[eE]\+\d+$"
_ROWS = 50_000


def read_file(path: Path, form: Form) -> Iterator[pa.RecordBatch]:
    """The rows of a file: `line`, then the form's columns as text, NULL for an empty cell.

    Raises `ConfigurationError`, which names the file and the line.
    """
    if not path.is_file():
        msg = f"there is no file {path}"
        raise ConfigurationError(msg)
    if path.suffix.lower() in (".parquet", ".pq"):
        with duckdb.connect() as connection:
            try:
                found = connection.sql(f"from read_parquet({path_literal(str(path))})").to_arrow_reader(_ROWS)
            except duckdb.Error as error:
                msg = f"{path} cannot be read as Parquet: {error}"
                raise ConfigurationError(msg) from None
            yield from read_arrow(found, form, str(path))
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _filled(_csv_batches(file, form, str(path)), form, str(path))
    except UnicodeDecodeError:
        msg = f"{path} is not UTF-8 (byte {_position(path):,}): save it as CSV UTF-8"
        raise ConfigurationError(msg) from None
    except OSError as error:
        msg = f"{path} cannot be read: {error}"
        raise ConfigurationError(msg) from None


def read_arrow(found: pa.Table | pa.RecordBatchReader, form: Form, source: str) -> Iterator[pa.RecordBatch]:
    """Rows with columns of any type as texts, numbered from 1, in the form of `read_file`.

    Numbers are written unambiguously: three decimals would read as thousands, so they get a fourth one.
    """
    names = form.header(found.schema.names, source)
    places = {name: place for place, name in enumerate(names) if name}
    given = found.rename_columns([f"c{place}" for place in range(len(names))]) if isinstance(found, pa.Table) else found
    quoted = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in given.schema.names]
    texts = []
    for field in form.columns:
        place = places.get(field)
        text = "null" if place is None else _as_text(quoted[place], given.schema.field(place).type)
        trimmed = text if field in form.as_written else f"trim({text})"
        texts.append(f"cast(nullif({trimmed}, '') as varchar) as {field}")
    with duckdb.connect() as connection:
        connection.register("given", given)
        sql = f"select row_number() over () as line, {', '.join(texts)} from given"
        yield from _filled(connection.sql(sql).to_arrow_reader(_ROWS), form, source)


def _as_text(column: str, kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):  # 0.1 + 0.2 has seventeen decimals, of which nobody means more than eight
        column = f"coalesce(try_cast({column} as decimal(28, 8))::varchar, {column}::varchar)"
    elif pa.types.is_timestamp(kind):  # in UTC, whatever this machine's zone is
        return f"strftime({column} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')" if kind.tz else f"{column}::varchar"
    elif not pa.types.is_decimal(kind):
        return f"cast({column} as varchar)"
    text = f"regexp_replace(regexp_replace({column}::varchar, '(\\.\\d*?)0+$', '\\1'), '\\.$', '')"
    return f"regexp_replace({text}, '(\\.\\d{{3}})$', '\\10')"


def _filled(batches: Iterable[pa.RecordBatch], form: Form, source: str) -> Iterator[pa.RecordBatch]:
    """The batches without their empty rows. Raises if there are no others."""
    rows = 0
    for batch in batches:
        there = reduce(pc.or_, (pc.is_valid(batch[name]) for name in form.columns))
        filled = batch.filter(there).cast(form.schema)
        if filled.num_rows:
            rows += filled.num_rows
            yield filled
    if not rows:
        msg = f"{source} has no rows: {form.empty}"
        raise ConfigurationError(msg)


def _check_ids(rows: pa.RecordBatch, name: str, source: str) -> None:
    cut = rows.filter(pc.fill_null(pc.match_substring_regex(rows[name], _SHORTENED), fill_value=False))
    if cut.num_rows:
        msg = (
            f"{source}, line {cut['line'][0]}: {name} is {cut[name][0]}: a spreadsheet has replaced its digits by an "
            "exponent. Format the column as text, and export it again"
        )
        raise ConfigurationError(msg)


def _csv_batches(file: Iterable[str], form: Form, source: str) -> Iterator[pa.RecordBatch]:
    lines = _lines(file, source)
    first, skipped = next(lines, ""), 0
    if chosen := _SEPARATOR.fullmatch(first):
        first, skipped = next(lines, ""), 1
    delimiter = chosen[1] if chosen else max(_DELIMITERS, key=first.count)
    if not first:
        msg = f"{source} is empty"
        raise ConfigurationError(msg)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    line, numbers, cells = 1 + skipped, list[int](), list[list[str]]()
    try:
        header = form.header(next(reader), source)
        line = reader.line_num + skipped + 1
        for row in reader:
            if row:
                if len(row) != len(header):
                    cells_found = f"{len(row)} cells for {len(header)} columns (separator {delimiter!r})"
                    msg = f"{source}, line {line}: {cells_found}"
                    raise ConfigurationError(msg)
                numbers.append(line)
                cells.append(row)
            line = reader.line_num + skipped + 1
            if len(cells) == _ROWS:
                yield _batch(numbers, cells, header, form, source)
                numbers, cells = [], []
    except csv.Error as error:
        msg = f"{source}, line {line}: {error}"
        raise ConfigurationError(msg) from None
    yield _batch(numbers, cells, header, form, source)


def _batch(
    numbers: Sequence[int], cells: Sequence[Sequence[str]], header: Sequence[str | None], form: Form, source: str
) -> pa.RecordBatch:
    places = {name: place for place, name in enumerate(header) if name}
    columns = list(zip(*cells, strict=True)) or [()] * len(header)
    arrays = [pa.array(numbers, pa.int64())]
    for name in form.columns:
        found: Iterable[str] = columns[places[name]] if name in places else ("",) * len(numbers)
        texts = found if name in form.as_written else map(str.strip, found)
        arrays.append(pa.array([text or None for text in texts], pa.string()))
    batch = pa.record_batch(arrays, form.schema)
    for name in form.ids:
        _check_ids(batch, name, source)
    return batch


def _lines(file: Iterable[str], source: str) -> Iterator[str]:
    for line in file:
        if "\0" in line:  # as in UTF-16 of plain letters
            msg = f"{source} contains NUL bytes: save it as CSV UTF-8"
            raise ConfigurationError(msg)
        yield line


def _position(path: Path) -> int:
    """The first byte that is not UTF-8."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return error.start + 1
    return 0


def shown(sql: str) -> str:
    """A query on one line, as it is recorded where the rows came from."""
    return re.sub(r"\s+", " ", sql).strip()[:500]

"""Turns JSON records into texts, column by column: all at once if they are strings, else record by record. Pure."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from .columns import Column

Record: TypeAlias = dict[str, msgspec.Raw]
"""Raw JSON values by field."""


def parse_strings(body: pa.Buffer, columns: tuple[Column, ...]) -> dict[str, pa.Array] | None:
    """Each column's texts, if every record in `rows` is an object with only known fields and strings, else None."""
    fields = pa.struct([(column.field, pa.string()) for column in columns])
    try:
        rows = pj.read_json(
            pa.BufferReader(body),
            read_options=pj.ReadOptions(use_threads=False, block_size=body.size + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=pa.schema([("rows", pa.list_(fields))]),
                newlines_in_values=True,
                unexpected_field_behavior="error",
            ),
        )
        structs = rows["rows"].combine_chunks()
        if len(structs) != 1 or structs.null_count:
            return None
        records_ = structs.flatten()
        if records_.null_count:
            return None
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    return {column.name: _empty_is_null(records_.field(column.field)) for column in columns}


def parse_exactly(raws: list[msgspec.Raw]) -> tuple[list[Record], dict[int, str]]:
    """Every record as field -> raw JSON value; one that is not an object is empty, with the reason by row."""
    rows: list[Record] = []
    rejected: dict[int, str] = {}
    for number, raw in enumerate(raws):
        try:
            rows.append(msgspec.json.decode(raw, type=Record))
        except msgspec.DecodeError as error:
            rows.append({})
            rejected[number] = f"not an object that can be read: {error}"
    return rows, rejected


def read_texts(rows: list[Record], columns: tuple[Column, ...]) -> dict[str, pa.Array]:
    """Each column's values as texts: strings decoded, numbers as written, objects and lists as JSON."""
    return {
        column.name: _empty_is_null(pa.array([_text(row.get(column.field)) for row in rows], pa.string()))
        for column in columns
    }


def _text(raw: msgspec.Raw | None) -> str | None:
    if raw is None:
        return None
    value = bytes(raw)
    if value == b"null":
        return None
    if value.startswith(b'"'):
        text: str = msgspec.json.decode(value, type=str)
        # A lone surrogate is valid JSON, but not a text that a warehouse can hold.
        return text.encode("utf-8", "replace").decode()
    return value.decode(errors="replace")


def is_text(raw: msgspec.Raw) -> bool:
    """Whether a value is a string, or null."""
    return bytes(raw)[:1] in {b'"', b"n"}


def _empty_is_null(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)

"""Reads one list completely, or not at all, into typed tables: the records, and the entries that they list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ..api.answers import read_object
from ..api.client import Client
from ..api.protocol import Body, read_refusal
from ..errors import InvalidAnswer, RequestRefused, TooSlow
from ..plan.windows import Window, cut, instant
from ..rows.columns import SYNCED_AT, Column, Kind
from ..rows.naming import snake_case
from ..rows.parse import Reader, Rejected
from ..settings import WINDOW_MAX
from .lists import CAMPAIGN, CAMPAIGN_ID, Part, ReferenceList, Table

_LATER = datetime.min.replace(tzinfo=UTC)
"""Stands for an instant that is known later."""


@dataclass(frozen=True)
class Listed:
    """What a list held: rows by table, each key once, and the records that could not be typed."""

    tables: dict[str, pa.Table]
    rejected: list[Rejected] = field(default_factory=list)


def read_list(client: Client, one: ReferenceList, scope: str, window: Window | None) -> Listed:
    """A list of the account or of the campaign `scope`; of one with dates, what was created in the window.

    Windows of more than 45 days are split if the API refuses them: no document says how long they may be. Raises
    `InvalidAnswer` if the list is not complete.
    """
    nested = [Column(name, snake_case(name), Kind.TEXT, "") for name in (one.part.fields if one.part else ())]
    reader = Reader((*one.table.columns, *nested), keyed=bool(one.keys))
    if not one.keys:
        rows, rejected = _read_object(client, one, reader), list[Rejected]()
    elif window is None:
        rows, rejected = _read_whole(client, one, scope, reader, None)
    else:
        try:
            rows, rejected = _read_whole(client, one, scope, reader, window)
        except (RequestRefused, TooSlow):
            if window.span <= WINDOW_MAX:
                raise
            parts = [_read_whole(client, one, scope, reader, part) for part in cut(window.start, window.end)]
            rows = pa.concat_tables([part for part, _ in parts], promote_options="default")
            rejected = [record for _, some in parts for record in some]
    rows = _with(rows, CAMPAIGN_ID, scope) if CAMPAIGN in one.path else rows
    rows = _latest(rows, one.table)
    if one.part is None:
        return Listed({one.name: rows}, rejected)
    part, more = _read_part(rows, one.part)
    rows = rows.drop_columns([column.name for column in nested])
    return Listed({one.name: rows, one.part.table.name: part}, rejected + more)


def try_list(client: Client, one: ReferenceList, scope: str) -> None:
    """Request the first page of a list, or the object; raises what that raises."""
    if one.keys:
        next(client.listed(_path(one, scope), one.keys, _query(one.queries[0], scope, None)))
    else:
        client.ask(_read_fields(one), *one.path)


def _read_object(client: Client, one: ReferenceList, reader: Reader) -> pa.Table:
    answer = client.ask(_read_fields(one), *one.path)
    rows = reader.read(b"[" + answer.value + b"]", answer.read_at).table
    return _with(rows, one.table.key[0], client.settings.account)


def _read_fields(one: ReferenceList) -> Callable[[int, Mapping[str, str], Body], bytes]:
    """Reads an object that has one of the list's fields: any other 200 is no answer."""

    def read(status: int, headers: Mapping[str, str], body: Body) -> bytes:
        found = read_object(status, headers, body)
        fields = msgspec.json.decode(found, type=dict[str, msgspec.Raw])
        if fields.keys().isdisjoint(column.field for column in one.table.columns):
            if msgspec.json.decode(fields.get("Status", b'""')) == "ERROR":
                raise read_refusal(status, body)
            msg = f"the response has none of the fields of {one.name}"
            raise InvalidAnswer(msg)
        return found

    return read


def _read_whole(
    client: Client, one: ReferenceList, scope: str, reader: Reader, window: Window | None
) -> tuple[pa.Table, list[Rejected]]:
    """Every page of each of the list's queries."""
    tables, rejected = [], list[Rejected]()
    for query in one.queries:
        path, parameters = _path(one, scope), _query(query, scope, window)
        for again in (True, False):  # it may have changed between two pages
            answers = list(client.listed(path, one.keys, parameters))
            pages = [reader.read(answer.value.records, answer.read_at) for answer in answers]
            count = len({id_ for page in pages for id_ in page.table["id"].to_pylist()})
            count += sum(len(page.rejected) for page in pages)
            total = answers[-1].value.total
            if total in {None, count}:
                break
            if not again:
                msg = f"the list is incomplete: the API reports {total}, {count} could be read. Run again"
                raise InvalidAnswer(msg)
        tables += [page.table for page in pages]
        rejected += [record for page in pages for record in (*page.rejected, *page.misfits)]
    return pa.concat_tables(tables, promote_options="default"), rejected


def _path(one: ReferenceList, scope: str) -> tuple[str, ...]:
    return tuple(scope if part == CAMPAIGN else part for part in one.path)


def _query(query: Mapping[str, str], scope: str, window: Window | None) -> dict[str, str]:
    dates = {"StartDate": instant(window.start), "EndDate": instant(window.end)} if window else {}
    return {name: scope if value == CAMPAIGN else value for name, value in query.items()} | dates


def _read_part(owners: pa.Table, part: Part) -> tuple[pa.Table, list[Rejected]]:
    """The entries that records list. What is ours in their key is put into each before it is read."""
    places, entries, rejected = list[int](), list[bytes](), list[Rejected]()
    ours = [name for name in (CAMPAIGN_ID,) if name in part.table.key]
    for place, owner in enumerate(owners.select(["id", *ours, *map(snake_case, part.fields)]).to_pylist()):
        for name, kind in part.fields.items():
            text = owner[snake_case(name)]
            try:
                found = _split(text)
            except msgspec.DecodeError as error:
                rejected.append(Rejected(owner["id"], text, f"{name} cannot be read: {error}", (name,)))
                continue
            own = {f"@{one}": owner[one] for one in ours} | {f"@{part.owner}": owner["id"]}
            entries += [
                _insert(own | ({"@kind": kind, "@line": str(line)} if kind else {}), entry)
                for line, entry in enumerate(found, 1)
            ]
            places += [place] * len(found)
    page = Reader(part.table.columns, keyed=False).read(b"[" + b",".join(entries) + b"]", _LATER)
    table = _with(page.table, SYNCED_AT.name, owners[SYNCED_AT.name].take(pa.array(places, pa.int64())))
    return _latest(table, part.table), rejected + list(page.misfits)


def _split(text: str | None) -> list[bytes]:
    """The objects in a JSON list; one alone may come without the list. Raises `msgspec.DecodeError` for others."""
    raw = (text or "[]").encode()
    found = [raw] if raw.startswith(b"{") else [bytes(one) for one in msgspec.json.decode(raw, type=list[msgspec.Raw])]
    for one in found:
        msgspec.json.decode(one, type=dict[str, msgspec.Raw])
    return found


def _insert(own: Mapping[str, str], entry: bytes) -> bytes:
    """The JSON object with these fields before its own."""
    rest = entry.strip()[1:].lstrip()
    return msgspec.json.encode(own)[:-1] + (b"" if rest == b"}" else b",") + rest


def _with(table: pa.Table, name: str, values: pa.ChunkedArray | str) -> pa.Table:
    """The table with these values in a column that it has."""
    place = table.schema.get_field_index(name)
    if isinstance(values, str):
        values = pa.chunked_array([pa.array([values] * len(table), pa.string())])
    return table.set_column(place, table.schema.field(place), values.cast(table.schema.field(place).type))


def _latest(rows: pa.Table, table: Table) -> pa.Table:
    """The last row of each key, whose columns are not nullable."""
    for name in table.key:
        place = rows.schema.get_field_index(name)
        empty = pa.scalar("" if pa.types.is_string(rows.schema.field(place).type) else 0)
        values = pc.fill_null(rows[name], empty.cast(rows.schema.field(place).type))
        rows = rows.set_column(place, rows.schema.field(place).with_nullable(False), values)  # noqa: FBT003 - Arrow's own
    last = {key: place for place, key in enumerate(zip(*(rows[name].to_pylist() for name in table.key), strict=True))}
    return rows if len(last) == len(rows) else rows.take(pa.array(sorted(last.values()), pa.int64()))

"""One page of a list as it came: its rows with their own types, and the form of the list itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from impact_source.api.answers import read_page
from impact_source.api.protocol import Body
from impact_source.errors import InvalidAnswer

Row: TypeAlias = dict[str, Any]
"""A record as JSON has it; numbers with decimals are exact."""
_ROWS = msgspec.json.Decoder(list[Row], float_hook=Decimal)


@dataclass(frozen=True)
class Listing:
    """The first page of a list: `alone` if its only row is not in a list, `complete` if there is no further page."""

    rows: list[Row]
    key: str
    alone: bool
    complete: bool
    total: int | None
    size: int | None


def read_listing(keys: tuple[str, ...], status: int, headers: Mapping[str, str], body: Body) -> Listing:
    """The list in an answer, under the first of `keys` that it has. Raises as `read_page` does."""
    page = read_page(status, headers, body, *keys)
    try:
        parts = msgspec.json.decode(bytes(body).decode(errors="replace"), type=dict[str, msgspec.Raw])
        rows = _ROWS.decode(page.records)
    except (msgspec.DecodeError, RecursionError) as error:
        msg = "the records of the answer are not objects"
        raise InvalidAnswer(msg) from error
    key = next(key for key in keys if key in parts)
    alone = bytes(parts[key])[:1] == b"{"
    return Listing(rows, key, alone, page.next is None and page.pages <= 1, page.total, page.size)


def text(row: Row, field: str) -> str:
    """A value as text; empty if there is none."""
    value = row.get(field)
    return "" if value is None else str(value)


def has_id(id_: str, row: Row) -> bool:
    """Whether this is the record with that id."""
    return text(row, "Id") == id_


def moment(row: Row, field: str) -> datetime | None:
    """A date in UTC; None if there is none, or none that names an instant."""
    try:
        found = datetime.fromisoformat(text(row, field))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def decimal(row: Row, field: str) -> Decimal | None:
    """An amount of money; None if there is none."""
    try:
        found = Decimal(text(row, field))
    except ArithmeticError:
        return None
    return found if found.is_finite() else None

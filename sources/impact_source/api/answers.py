"""Reads an answer: a page of a list, or one object. No I/O: (status, headers, body) in, data or an error out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

import msgspec
import pyarrow as pa

from ..errors import InvalidAnswer
from ..rows.framing import frame
from ..rows.nesting import flatten
from .protocol import Body, raise_for_status, read_refusal

_LIST = 3
"""Levels down to the values of a record in a list: the answer, the list, the record."""


@dataclass(frozen=True)
class Page:
    """One page of a list: `records` is a JSON list, a view of the answer; `total` counts the rows of all pages."""

    records: memoryview
    total: int | None
    number: int
    pages: int
    next: str | None
    size: int | None = None
    """Records per page, as the answer says; it may be less than requested."""


def read_page(status: int, headers: Mapping[str, str], body: Body, *keys: str) -> Page:
    """The page in an answer, under the first of `keys` that it has.

    Raises what `raise_for_status` does, and `InvalidAnswer` if a 200 is not a list: that never means "no rows".
    """
    answer = _decode(status, headers, body)
    key = next((name for name in keys if name in answer), None)
    if key is None and _text(answer, "Status").upper() == "ERROR":
        raise read_refusal(status, body)
    if key is None:
        msg = f"the response has no list {keys[0]!r}"
        raise InvalidAnswer(msg)
    records = memoryview(answer[key])
    if bytes(records[:1]) == b"{":  # a list of one is sometimes sent as the object alone
        alone = bytes(_decode(status, headers, body, depth=_LIST - 1)[key])
        records = memoryview(b"[" + alone + b"]")
    if bytes(records[:1]) != b"[":
        msg = f"{key!r} in the response is not a list: it begins with {bytes(records[:40])!r}"
        raise InvalidAnswer(msg)
    return Page(
        records=records,
        total=_read_integer(answer, "@total"),
        number=_read_integer(answer, "@page") or 1,
        pages=_read_integer(answer, "@numpages") or 1,
        next=_text(answer, "@nextpageuri") or None,
        size=_read_integer(answer, "@pagesize"),
    )


def read_large_page(status: int, headers: Mapping[str, str], body: Body, key: str) -> Page:
    """The same of a large page: what is around its records in the body is overwritten, to parse them where they are."""
    page = read_page(status, headers, body, key)
    framed = frame(body, page.records) if isinstance(body, bytearray) else None
    return page if framed is None else replace(page, records=framed)


def count_records(page: Page) -> int:
    """How many records a page holds."""
    return len(msgspec.json.decode(page.records, type=list[msgspec.Raw]))


def build_page_link(first: Page, number: int) -> str:
    """The link to page `number` of the list that `first` begins, built from its link to page 2."""
    if first.next is None:
        msg = f"the response reports {first.pages} pages but has no link to the next one"
        raise InvalidAnswer(msg)
    path, _, query = first.next.partition("?")
    parameters = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name.lower() != "page"]
    return f"{path}?{urlencode([*parameters, ('Page', str(number))])}"


def read_object(status: int, headers: Mapping[str, str], body: Body, **wanted: str) -> bytes:
    """The one object in an answer, as JSON; it must have these fields. Raises as `read_page` does."""
    answer = _decode(status, headers, body, depth=1)
    for key, value in wanted.items():
        if (found := _text(answer, key)) != value:
            msg = f"requested the object with {key} {value!r}, got {found[:40]!r}"
            raise InvalidAnswer(msg)
    return msgspec.json.encode(answer)


def _decode(status: int, headers: Mapping[str, str], body: Body, depth: int = _LIST) -> dict[str, msgspec.Raw]:
    """The answer's fields as they came; if they are nested too deeply to be read, those below `depth` are text."""
    raise_for_status(status, headers, body)
    if not _is_utf8(body):
        body = body.decode(errors="replace").encode()  # one bad byte costs a character, not the page
    try:
        try:
            return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except RecursionError:
            return msgspec.json.decode(flatten(bytes(body), depth), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        msg = f"the response is not a JSON object ({error}): it begins with {body[:40]!r}"
        raise InvalidAnswer(msg) from None


def _is_utf8(body: Body) -> bool:
    """Whether all of it is text; Arrow checks that without decoding, which would take up to four times the page."""
    ends = pa.array([0, len(body)], pa.int64()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(body)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _text(answer: dict[str, msgspec.Raw], key: str) -> str:
    if key not in answer:
        return ""
    value = msgspec.json.decode(answer[key])
    return "" if value is None else str(value)


def _read_integer(answer: dict[str, msgspec.Raw], key: str) -> int | None:
    text = _text(answer, key)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        msg = f"{key} in the response is not a number: {text[:40]!r}"
        raise InvalidAnswer(msg) from None

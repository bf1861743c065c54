"""What the API answers: objects, pages of lists in their envelope, and refusals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

import msgspec

Buffer = bytes | memoryview


@dataclass(frozen=True)
class Answer:
    """A response: its status, its body in pieces, and headers in addition to the usual ones."""

    status: int
    body: Sequence[Buffer]
    headers: dict[str, str] = field(default_factory=dict)
    is_list: bool = False


class Refusal(Exception):
    """A refusal by the API: a status, a message and the fields at fault, each with the message again."""

    def __init__(self, status: int, message: str, *fields: str) -> None:
        super().__init__(message)
        self.message, self.fields, self.status = message, fields, status

    def answer(self) -> Answer:
        """Return the refusal as a response."""
        body: dict[str, object] = {"Status": "ERROR", "Message": self.message}
        if self.fields:
            body["Errors"] = [{"Field": name, "Message": self.message} for name in self.fields]
        return Answer(self.status, [msgspec.json.encode(body)])


class Paged(Protocol):
    """What a page needs to know of its request."""

    @property
    def page(self) -> int:
        """The requested page, from 1."""

    @property
    def page_size(self) -> int:
        """Records per page."""


@dataclass(frozen=True)
class Asked:
    """A request as sent: its path with its escapes, and its parameters."""

    path: str
    parameters: dict[str, str]


@dataclass(frozen=True)
class Listing:
    """A page of records, as JSON texts joined by commas; `count` of them, of `total` matches."""

    key: str
    records: Sequence[Buffer]
    count: int
    total: int


def page_of(listing: Listing, request: Paged, asked: Asked, *, single_as_object: bool) -> Answer:
    """Return a page in its envelope, in which every value is a string."""
    envelope = _envelope(listing, request, asked)
    head = msgspec.json.encode(envelope)[:-1] + b"," + msgspec.json.encode(listing.key) + b":"
    bare = single_as_object and listing.count == 1
    opening, closing = (b"", b"}") if bare else (b"[", b"]}")
    return Answer(200, [head + opening, *listing.records, closing], is_list=True)


def _envelope(listing: Listing, request: Paged, asked: Asked) -> dict[str, str]:
    pages = -(-listing.total // request.page_size)
    start = (request.page - 1) * request.page_size

    def uri(page: int) -> str:
        return f"{asked.path}?{urlencode({**asked.parameters, 'PageSize': str(request.page_size), 'Page': str(page)})}"

    return {
        "@page": str(request.page),
        "@numpages": str(pages),
        "@pagesize": str(request.page_size),
        "@total": str(listing.total),
        "@start": str(start),
        "@end": str(start + max(listing.count - 1, 0)),
        "@uri": f"{asked.path}?{urlencode(asked.parameters)}" if asked.parameters else asked.path,
        "@firstpageuri": uri(1),
        "@previouspageuri": uri(request.page - 1) if request.page > 1 else "",
        "@nextpageuri": uri(request.page + 1) if request.page < pages else "",
        "@lastpageuri": uri(max(pages, 1)),
    }

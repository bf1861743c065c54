"""Fetches one answer, with a deadline and a limit on its unpacked size, whatever the peer does."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from ..errors import InvalidAnswer
from .connections import Connections

_PART = 1 << 16
"""Bytes that are unpacked at once."""


@dataclass(frozen=True)
class Packed:
    """The body of an answer as it came: for a page of actions a tenth of what it unpacks to."""

    data: bytearray
    zipped: bool
    most: int

    def unpack(self) -> bytearray:
        """The body. Raises `InvalidAnswer` if it is larger than `most` bytes, `httpx.DecodingError`."""
        if not self.zipped:
            return self.data
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        body = bytearray()  # grows in place: a joined list of parts would take a page's memory twice
        view = memoryview(self.data)
        for start in range(0, len(view), _PART):
            try:
                body += unpacker.decompress(view[start : start + _PART], self.most + 1 - len(body))
            except zlib.error as error:
                raise httpx.DecodingError(str(error)) from None
            check_size(body, self.most)
        return body


def fetch(  # noqa: PLR0913 - what limits it
    http: httpx.Client,
    request: httpx.Request,
    connections: Connections,
    room: Callable[[int], object],
    *,
    seconds: float,
    most: int,
) -> tuple[httpx.Response, Packed]:
    """An answer and its body, received within so many seconds; it unpacks to at most `most` bytes.

    `room` is called with its unpacked size, as the answer says, once there is something to keep: it may wait. Until
    then the peer has to. Raises `InvalidAnswer` if it is larger, `httpx.ReadTimeout`, `httpx.DecodingError`.
    """
    with connections.within(seconds):
        response = http.send(request, stream=True)
        try:
            # httpx would unpack each piece at once, whatever its size, and as many times as the answer says.
            zipped, body = _is_packed(response.headers), bytearray()
            if not zipped:
                room(_length(response.headers))
            for part in response.iter_raw():
                body += part
                check_size(body, most)
            if zipped:  # it ends with its unpacked size
                room(int.from_bytes(body[-4:], "little"))
            return response, Packed(body, zipped, most)
        finally:
            response.close()


def _length(headers: httpx.Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def check_size(body: bytearray, most: int) -> None:
    """Raise `InvalidAnswer` if a body is larger than it may be."""
    if len(body) > most:
        msg = f"the response is larger than {most:,} bytes"
        raise InvalidAnswer(msg)


def _is_packed(headers: httpx.Headers) -> bool:
    """Whether a body is gzip. Raises if it has an encoding that was not requested, gzip within gzip included."""
    given = [name.lower() for name in headers.get_list("content-encoding", split_commas=True)]
    given = [name for name in given if name not in {"", "identity"}]
    if given not in ([], ["gzip"], ["x-gzip"]):
        msg = f"the response has an unexpected Content-Encoding: {', '.join(given)[:80]}"
        raise httpx.DecodingError(msg)
    return bool(given)

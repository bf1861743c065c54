"""Fetches one answer, with a deadline and a limit on its unpacked size, whatever the peer does."""

from __future__ import annotations

import zlib

import httpx

from ..errors import InvalidAnswer
from .connections import Connections


def fetch(
    http: httpx.Client, request: httpx.Request, connections: Connections, *, seconds: float, most: int
) -> tuple[httpx.Response, bytearray]:
    """An answer and its body, received within so many seconds and unpacked to at most `most` bytes.

    Raises `InvalidAnswer` if it is larger, `httpx.ReadTimeout` if it takes longer, `httpx.DecodingError`.
    """
    with connections.within(seconds):
        response = http.send(request, stream=True)
        try:
            return response, _unpack(response, most)
        finally:
            response.close()


def _unpack(response: httpx.Response, most: int) -> bytearray:
    """The body. httpx would unpack each piece at once, whatever its size, and as many times as the answer says."""
    packed = _is_packed(response.headers)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    body = bytearray()  # grows in place: a joined list of parts would take a page's memory twice
    for part in response.iter_raw():
        try:
            body += unpacker.decompress(part, most + 1 - len(body)) if packed else part
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from None
        if len(body) > most:
            msg = f"the response is larger than {most:,} bytes"
            raise InvalidAnswer(msg)
    return body


def _is_packed(headers: httpx.Headers) -> bool:
    """Whether a body is gzip. Raises if it has an encoding that was not requested, gzip within gzip included."""
    given = [name.lower() for name in headers.get_list("content-encoding", split_commas=True)]
    given = [name for name in given if name not in {"", "identity"}]
    if given not in ([], ["gzip"], ["x-gzip"]):
        msg = f"the response has an unexpected Content-Encoding: {', '.join(given)[:80]}"
        raise httpx.DecodingError(msg)
    return bool(given)

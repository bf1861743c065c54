"""The connection under a request: faults that break HTTP itself are written to its transport or done to it.

uvicorn gives applications no transport, as ASGI has none. A subclass of its protocol class puts it into the state that
comes with each request. That is a dozen lines; a proxy in front of the server would have to parse HTTP again to tell
requests apart, and httptools or hypercorn offer no more than h11 does.
"""

import asyncio
import contextlib
import gzip
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from .faults import Faults, Kind
from .replies import Reply

SILENT = frozenset({Kind.REFUSED, Kind.RESET, Kind.HANG, Kind.DRIP_INFORM})
"""The faults after which not even a status was sent."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero: closing a socket resets its connection."""
_GZIP_HEAD = gzip.compress(b"", mtime=0)[:10]
_GZIP_NOTHING = b"\x00\x00\x00\xff\xff"
"""An empty block that is not the last one."""
_PIECES = 20
_MOMENT = 0.02
"""Seconds in which written bytes reach a client on the same machine."""


class LineProtocol(H11Protocol):
    """uvicorn's HTTP over asyncio; the application finds the connection's transport in `scope["state"]`."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Take a connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


@dataclass(frozen=True)
class Line:
    """The connection that a request came on; `refuse` stops the server from accepting connections for some seconds."""

    transport: asyncio.Transport
    refuse: Callable[[float], None]
    receive: Receive
    send: Send

    @classmethod
    def of(cls, scope: Scope, receive: Receive, send: Send) -> "Line":
        """Return the line of an ASGI request."""
        return cls(scope["state"]["transport"], scope["state"]["refuse"], receive, send)

    async def breaks(self, kind: Kind, reply: Reply, faults: Faults) -> bool:
        """Answer with a fault; False for one that an ordinary answer can express."""
        body, size = reply.body, len(reply.body)
        match kind:
            case Kind.REFUSED:
                self.refuse(faults.closed)
                self._reset()
            case Kind.RESET:
                self._reset()
            case Kind.RESET_AMID:
                self.transport.write(_head(reply, size) + body[: size // 2])
                await asyncio.sleep(_MOMENT)
                self._reset()
            case Kind.CLOSED_AMID:
                self._end(_head(reply, size) + body[: size // 2])
            case Kind.LENGTH_LONG:
                self._end(_head(reply, size + 7) + body)
            case Kind.LENGTH_SHORT:
                self._end(_head(reply, size // 2) + body)
            case Kind.HANG:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._gone(), faults.hang)
                self._reset()
            case Kind.DRIP:
                await self._drip(reply, faults.slowly / _PIECES)
                return True
            case _ if kind in _ENDLESS:
                await self._go_on(*_ENDLESS[kind](reply), faults.hang)
            case _:
                return False
        await self._gone()
        return True

    async def _go_on(self, start: bytes, piece: bytes, seconds: float) -> None:
        """Keep sending until the client leaves or the time is over; then reset."""
        self.transport.write(start)
        until = time.monotonic() + seconds
        while not self.transport.is_closing() and time.monotonic() < until:
            self.transport.write(piece)
            await asyncio.sleep(_MOMENT)
        self._reset()

    async def _drip(self, reply: Reply, pause: float) -> None:
        """Send a correct answer piece by piece."""
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
        raw.append((b"content-length", str(len(reply.body)).encode()))
        await self.send({"type": "http.response.start", "status": reply.status, "headers": raw})
        step = max(1, -(-len(reply.body) // _PIECES))
        for start in range(0, len(reply.body), step):
            await asyncio.sleep(pause)
            if self.transport.is_closing():
                return
            piece = reply.body[start : start + step]
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        await self.send({"type": "http.response.body", "body": b""})

    def _end(self, data: bytes) -> None:
        """Send some bytes, then close the connection properly."""
        self.transport.write(data)
        self.transport.close()

    def _reset(self) -> None:
        if not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    async def _gone(self) -> None:
        """Wait until the connection is closed: before that, uvicorn would send its own answer."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def _head(reply: Reply, length: int | None = None) -> bytes:
    """Return the head of an answer, written by hand: h11 would not announce a wrong length.

    Without a length the body comes in chunks.
    """
    framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
    headers = {**reply.headers, **framing}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _packed_nothing(reply: Reply) -> tuple[bytes, bytes]:
    headers = {**reply.headers, "Content-Encoding": "gzip"}
    return _head(replace(reply, headers=headers)) + _chunk(_GZIP_HEAD), _chunk(_GZIP_NOTHING)


def _trailers(reply: Reply) -> tuple[bytes, bytes]:
    return _head(reply) + (_chunk(reply.body) if reply.body else b"") + b"0\r\n", b"X: x\r\n"


_ENDLESS: dict[Kind, Callable[[Reply], tuple[bytes, bytes]]] = {
    Kind.DRIP_HEAD: lambda reply: (f"HTTP/1.1 {reply.status} OK\r\nX-Slow: ".encode(), b"x"),
    Kind.DRIP_INFORM: lambda _: (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    Kind.DRIP_GZIP: _packed_nothing,
    Kind.DRIP_TRAILER: _trailers,
}
"""How an answer without end begins, and what is then repeated."""

"""The connection under a request: faults that break HTTP itself are written to, or done to, its transport.

uvicorn hands applications no transport, as ASGI has none. A subclass of its protocol class puts it into the state that
comes with each request: a dozen lines, where a proxy in front of the server would have to read HTTP once more to know
one request from the next, and httptools or hypercorn offer no more than h11 does.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sources.impact_sandbox.faults import Faults, Kind
from sources.impact_sandbox.replies import Reply

SILENT = frozenset({Kind.REFUSED, Kind.RESET, Kind.HANG})
"""The faults after which not even a status was sent."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for no time at all: what closes a socket resets its connection."""
_PIECES = 20
_MOMENT = 0.02
"""Seconds in which what was written reaches a client on the same machine."""


class LineProtocol(H11Protocol):
    """uvicorn's HTTP over asyncio; the application finds the connection's transport in `scope["state"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Take a connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


@dataclass(frozen=True)
class Line:
    """The connection that a request came on, `refuse` closing the server's door to further ones for some seconds."""

    transport: asyncio.Transport
    refuse: Callable[[float], None]
    receive: Receive
    send: Send

    @classmethod
    def of(cls, scope: Scope, receive: Receive, send: Send) -> "Line":
        """The line of an ASGI request."""
        return cls(scope["state"]["transport"], scope["state"]["refuse"], receive, send)

    async def breaks(self, kind: Kind, reply: Reply, faults: Faults) -> bool:
        """Answer as a fault has it; False for one that an ordinary answer expresses."""
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
            case _:
                return False
        await self._gone()
        return True

    async def _drip(self, reply: Reply, pause: float) -> None:
        """Send an answer, right in itself, piece by piece."""
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
        """Send some bytes, then close the connection in order."""
        self.transport.write(data)
        self.transport.close()

    def _reset(self) -> None:
        if not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    async def _gone(self) -> None:
        """Wait until the connection is no more: before that, uvicorn would send an answer of its own."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def _head(reply: Reply, length: int) -> bytes:
    """The head of an answer, written by hand: h11 would not promise a length other than it then sends."""
    headers = {**reply.headers, "Content-Length": str(length)}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")

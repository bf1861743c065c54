"""Checks the Host header: a page on another site can make a browser send requests here under its own name."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Door:
    """Accepts requests to an IP address or to `localhost`: any other name may point here on purpose."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, or refuse it."""
        if scope["type"] == "http" and not _is_plain(host_of(Headers(scope=scope).get("host", ""))):
            body = {"Status": "ERROR", "Message": "Ask for this server by its address or as localhost"}
            await JSONResponse(body, 421)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def require_ours(request: Request) -> None:
    """Refuse control to other machines, and to pages of other sites in a browser on this one."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if request.client is None or request.client.host not in LOOPBACK or host_of(host) not in LOOPBACK:
        raise HTTPException(404)
    if origin is not None and origin != f"http://{host}":
        raise HTTPException(403, "Another site has no say here")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":  # what a form on another site cannot send
        raise HTTPException(415, "Send JSON, and say so: Content-Type: application/json")


def host_of(netloc: str) -> str:
    """The name in a Host header, without its port; empty if it is not valid."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "") if "@" not in netloc else ""
    except ValueError:
        return ""


def _is_plain(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

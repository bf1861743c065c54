"""The API's gate: credentials, scopes, budget, headers and formats around the endpoints' answers."""

import asyncio
import binascii
import logging
from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from . import api
from .answers import Asked, Refusal
from .budget import Budget
from .faults import Kind
from .line import SILENT, Line
from .markup import to_xml
from .query import VERSION_PARAMETER, read_parameters
from .replies import Hook, Reply, Request
from .thrower import Thrower
from .world import World

logger = logging.getLogger(__name__)

API_VERSION = "14"
"""The version of the account, and of a request that names none."""
CHUNK = 1 << 20


class BrokenOffError(Exception):
    """Raised for a reply that breaks off in the middle: ends the connection."""


@dataclass
class Gate:
    """An ASGI application: the API of one account.

    `on_request` is called under the world's lock before each answer is computed; it may move the clock, edit the
    world, or return a `Reply` to be sent instead. Faults hit whatever answer there is, last of all.
    """

    world: World
    auth_token: str
    budget: Budget
    scopes: Collection[str] | None = None
    latency: float = 0.0
    requests: list[Request] = field(default_factory=list)
    on_request: Hook | None = None
    thrower: Thrower = field(default_factory=Thrower)
    _lists: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        body = await _body(receive)
        if self.latency:
            await asyncio.sleep(self.latency)
        raw_query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1")
        query, form = (dict(parse_qsl(raw, keep_blank_values=True)) for raw in (raw_query, body))
        headers = Headers(scope=scope)
        version = headers.get("ir-version") or query.get(VERSION_PARAMETER, "")
        peer = (scope["client"] or ("", 0))[1]
        request = Request(scope["method"], path, query, form=form, peer=peer, version=version)
        kind, reply = await run_in_threadpool(self._answer, request, raw_query, body, headers)
        if kind is None or not await Line.of(scope, receive, send).breaks(kind, reply, self.thrower.faults):
            await _send(reply, send)

    def _answer(self, request: Request, raw_query: str, body: str, headers: Headers) -> tuple[Kind | None, Reply]:
        with self.world.lock:
            answer = partial(self._hooked, request, raw_query, body, headers)
            kind, reply = self.thrower.throw(request, answer, self.world.now)
            status = 0 if kind in SILENT else reply.status
            self.requests.append(replace(request, status=status))
            return kind, replace(reply, headers={"Date": self._date(len(self.requests)), **reply.headers})

    def _date(self, number: int) -> str:
        """Return the Date of the answer with this number, the first being 1."""
        rules = self.world.rules
        wrong = rules.wrong_date_every and (number - 1) % rules.wrong_date_every == 0
        off = timedelta(seconds=rules.wrong_date_seconds) if wrong else timedelta(0)
        return format_datetime(self.world.now + off, usegmt=True)

    def _hooked(self, request: Request, raw_query: str, body: str, headers: Headers) -> Reply:
        try:
            reply = self.on_request(request) if self.on_request else None
            if reply is None or reply.after:
                own = self._own_answer(request, raw_query, body, headers)
                reply = _in_place_of(own, reply) if reply else own
        except Exception:
            logger.exception("The sandbox failed on %s %s", request.method, request.path)
            reply = Reply(HTTPStatus.INTERNAL_SERVER_ERROR)
        return reply

    def _own_answer(self, request: Request, raw_query: str, sent: str, headers: Headers) -> Reply:
        try:
            self._admit(request, headers)
            asked = Asked(request.path, read_parameters(raw_query))
            if request.method == "GET":
                answer = api.read(self.world, asked)
            else:
                answer = api.write(self.world, asked, request.method, sent, headers.get("content-type", ""))
        except Refusal as refusal:
            answer = refusal.answer()
        body = b"".join(answer.body)
        if answer.is_list:
            self._lists += 1
            every = self.world.rules.null_bodies
            body = b"null" if every and self._lists % every == 0 else body
        limits = self.budget.headers(
            self.world.rules, self.world.now, refused=answer.status == HTTPStatus.TOO_MANY_REQUESTS
        )
        json = "application/json" in headers.get("accept", "") or request.path.endswith(".json")
        kind = "application/json" if json else "application/xml"
        extra = {"WWW-Authenticate": 'Basic realm="impact"'} if answer.status == HTTPStatus.UNAUTHORIZED else {}
        return Reply(answer.status, body if json else to_xml(body), {"Content-Type": kind, **extra, **limits})

    def _admit(self, request: Request, headers: Headers) -> None:
        """Refuse requests that the API does not let in. Only requests with valid credentials spend the budget."""
        user = self._user(headers.get("authorization", ""))
        if not self.budget.spend():
            raise Refusal(429, "The limit of requests an hour is reached")
        match request.path.split("/"):
            case ["", "Advertisers", sid, _, *_]:
                allowed = unquote(sid) == user
            case _:
                raise Refusal(404, "The resource does not exist")
        needed = api.scope_of(request.method, request.path)
        if not allowed or (self.scopes is not None and needed not in self.scopes):
            raise Refusal(403, "The token gives no access to this resource")
        if {request.version, request.query.get(VERSION_PARAMETER, "")} - {"", API_VERSION}:
            raise Refusal(400, f"Send IR-Version: {API_VERSION}, the only version served here", "IR-Version")

    def _user(self, authorization: str) -> str:
        scheme, _, encoded = authorization.partition(" ")
        try:
            user, _, token = b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = token = ""
        if scheme.lower() != "basic" or (user, token) != (self.world.account_sid, self.auth_token):
            raise Refusal(401, "The AccountSID or the AuthToken is wrong")
        return user


def _in_place_of(own: Reply, reply: Reply) -> Reply:
    broken = reply.cut_after is not None and not reply.body
    return replace(own, cut_after=reply.cut_after) if broken else reply


async def _body(receive: Receive) -> str:
    """Receive a request's complete body."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body.decode("utf-8", "replace")


async def _send(reply: Reply, send: Send) -> None:
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    sent = memoryview(reply.body)[: reply.cut_after]
    for start in range(0, len(sent), CHUNK):
        await send({"type": "http.response.body", "body": bytes(sent[start : start + CHUNK]), "more_body": True})
    if reply.cut_after is not None:
        raise BrokenOffError
    await send({"type": "http.response.body", "body": b""})

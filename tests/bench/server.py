"""The sandbox as a server that computes each distinct request once and then answers it from memory.

This measures the client, not how the sandbox writes JSON. Its clock stands, so that the same requests recur. Run as
`python -m tests.bench.server ROWS DAYS SEED`: prints its address, ends when its input is closed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import pyarrow.parquet as pq
import uvicorn
from impact_sandbox import AUTH_TOKEN, Campaign, World
from impact_sandbox.budget import Budget
from impact_sandbox.gate import Gate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from tests.bench.task import CAMPAIGN

_PLENTY = 1_000_000_000
_LASTING = (200, 400, 404)
"""Answers that are the same the next time."""
_Key = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass
class Remembering:
    """An ASGI application in front of the sandbox: same path, same parameters, same bytes, `latency` seconds later.

    `requests` counts all requests, `computed` those that were not known yet.
    """

    gate: Gate
    latency: float = 0.0
    requests: int = 0
    computed: int = 0
    _answers: dict[_Key, list[Message]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        self.requests += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        answer = self._answers.get(_key(scope))
        for message in answer or await self._compute(scope, receive):
            await send(message)

    async def _compute(self, scope: Scope, receive: Receive) -> list[Message]:
        self.computed += 1
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(dict(message))

        await self.gate(scope, receive, keep)
        if answer[0]["status"] in _LASTING:
            self._answers[_key(scope)] = answer
        return answer

    def forget(self) -> None:
        """Compute every answer again: the world has changed."""
        self._answers.clear()
        self.gate.requests.clear()


def _key(scope: Scope) -> _Key:
    """What identifies a request; without a page number it means the first page."""
    parameters = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    told = tuple(sorted(parameter for parameter in parameters if parameter != ("Page", "1")))
    return scope["method"], scope["raw_path"].decode("latin-1"), told


def _application(world: World, remembering: Remembering) -> Starlette:
    def control(request: Request) -> Response:
        """Carry out a control request and report the counts: `count` resets them."""
        asked = request.query_params
        if "advance_days" in asked:
            world.advance(days=float(asked["advance_days"]))
            remembering.forget()
        if "latency" in asked:
            remembering.latency = float(asked["latency"])
        if "items" in asked:
            pq.write_table(world.item_truth(), asked["items"])
        counts = {"requests": remembering.requests, "computed": remembering.computed}
        if "count" in asked:
            remembering.requests = remembering.computed = 0
        account = {"account_sid": world.account_sid, "auth_token": AUTH_TOKEN}
        return JSONResponse({"now": world.now.isoformat(), **account, **counts})

    return Starlette(routes=[Route("/bench", control, methods=["POST"]), Mount("/", app=remembering)])


def main() -> None:
    """Serve a world of about as many actions as the command line says."""
    rows, days, seed = (int(text) for text in sys.argv[1:4])
    # One campaign: `impact sync` plans a second one by the time that the first took, which differs each time.
    campaigns = (Campaign(id=CAMPAIGN, name="Acme Campaign"),)
    world = World(seed=seed, days=days, per_day=rows / days, campaigns=campaigns)
    app = _application(world, Remembering(Gate(world, AUTH_TOKEN, Budget(limit=_PLENTY))))
    # Named as TCP, so that asyncio switches off Nagle's algorithm: with it, every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    # The Date is the world's, sent by the sandbox itself.
    config = uvicorn.Config(
        app, date_header=False, server_header=False, access_log=False, log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    threading.Thread(target=_end_with_input, args=[server], daemon=True).start()
    sys.stdout.write(json.dumps(f"http://127.0.0.1:{listener.getsockname()[1]}") + "\n")
    sys.stdout.flush()
    server.run([listener])


def _end_with_input(server: uvicorn.Server) -> None:
    """Stop when the process that started this server is gone, for whatever reason."""
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    main()

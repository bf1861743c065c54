"""The sandbox as a server: in the background of a program, or in the foreground of a terminal."""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from typing_extensions import override

from .api import WRITING
from .budget import Budget
from .control import control_routes
from .door import Door
from .faults import Faults
from .gate import Gate
from .line import LineProtocol
from .replies import Hook, Request
from .thrower import Thrower
from .world import World

AUTH_TOKEN = "sandbox-token"  # noqa: S105
SCOPES = (
    *("Campaigns", "Actions", "Items", "ActionUpdates", "APISubmissions", "Actions:write"),
    *("CompanyInformation", "MediaPartners", "MediaPartnerGroups", "Contracts", "ActionInquiries", "Invoices"),
)
POLL_SECONDS = 0.005
SIGNAL_SECONDS = 0.1


class Sandbox:
    """Serves the API of a world on a free port of 127.0.0.1 within a `with` block; the clock stands unless moved."""

    def __init__(  # noqa: PLR0913
        self,
        world: World,
        port: int = 0,
        requests_per_hour: int = 1000,
        latency: float = 0.0,
        *,
        scopes: Collection[str] | None = None,
        auth_token: str = AUTH_TOKEN,
        faults: Faults | None = None,
    ) -> None:
        """Prepare to serve a world; `scopes` limit the token to some of SCOPES."""
        self.world = world
        self.auth_token = auth_token
        self.budget = Budget(limit=requests_per_hour, clock=lambda: world.now.timestamp())  # noqa: PLW0108 - read each time
        self.requests: list[Request] = []
        self._gate = Gate(world, auth_token, self.budget, scopes, latency, self.requests)
        self._gate.thrower.faults = faults or Faults()
        self._port = port

    @property
    def writes(self) -> list[Request]:
        """The PUT and DELETE requests that arrived completely, whatever happened to them and to their answers."""
        return [request for request in self.requests if request.method in WRITING]

    @property
    def account_sid(self) -> str:
        """The account's AccountSID, the user name of its credentials."""
        return self.world.account_sid

    @property
    def url(self) -> str:
        """The base URL of the running server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def on_request(self) -> Hook | None:
        """Called under the world's lock before each answer is computed; a `Reply` that it returns is sent instead."""
        return self._gate.on_request

    @on_request.setter
    def on_request(self, hook: Hook | None) -> None:
        self._gate.on_request = hook

    @property
    def faults(self) -> Faults:
        """What goes wrong between this API and its clients; setting it restarts the count of requests for the draw."""
        return self._gate.thrower.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self.world.lock:
            self._gate.thrower.faults = faults

    @property
    def thrown(self) -> Counter[str]:
        """How many requests were hit by a fault, by kind."""
        return self._gate.thrower.thrown

    def __enter__(self) -> Self:
        """Start the server and wait until it accepts connections."""
        listener = _listen("127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        self._server = _server(self._gate)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True, name="sandbox")
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                message = "The sandbox did not start"
                raise RuntimeError(message)
            time.sleep(POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self._server.stop()
        self._thread.join()


def serve(  # noqa: PLR0913
    world: World,
    host: str = "127.0.0.1",
    port: int = 8642,
    requests_per_hour: int = 1000,
    latency: float = 0.0,
    *,
    scopes: Collection[str] | None = None,
    auth_token: str = AUTH_TOKEN,
    faults: Faults | None = None,
    thrown: Counter[str] | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a world until interrupted; its clock runs in real time. `on_ready` gets the URL once it is bound.

    What `faults` hit is counted in `thrown`.

    Raises OSError if the address cannot be bound.
    """
    listener = _listen(host, port)
    budget = Budget(limit=requests_per_hour, clock=lambda: world.now.timestamp())  # noqa: PLW0108 - read each time
    gate = Gate(world, auth_token, budget, scopes, latency)
    gate.thrower = Thrower(Counter() if thrown is None else thrown)
    gate.thrower.faults = faults or Faults()
    world.tick()
    if on_ready:
        on_ready(f"http://{host}:{listener.getsockname()[1]}")
    _server(gate).run([listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio switches off Nagle's algorithm: with it, every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


class _PromptServer(uvicorn.Server):
    """A server that stops within milliseconds, for tests that start hundreds.

    With one listener, it can close it for a while and open it again at the same address.
    """

    @override
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Have the server stop; may be called from any thread."""
        self.should_exit = True
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        # The application reaches the server through the state that ASGI hands to it with each request.
        self.lifespan.state["refuse"] = self.refuse
        await super().startup(sockets=sockets)

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for so many seconds; open ones stay. Has no effect while already refusing."""
        listener = self.servers[-1]
        if self.should_exit or not listener.sockets:
            return
        address = listener.sockets[0].getsockname()
        listener.close()
        task = asyncio.ensure_future(self._accept_again(address, seconds))
        self.server_state.tasks.add(task)  # uvicorn waits for these before it stops
        task.add_done_callback(self.server_state.tasks.discard)

    async def _accept_again(self, address: tuple[str, int], seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.should_exit:  # noqa: ASYNC110 - a flag, as above
            await asyncio.sleep(POLL_SECONDS)
        if self.should_exit:
            return
        protocol = partial(LineProtocol, self.config, self.server_state, self.lifespan.state)
        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(protocol, sock=_listen(*address[:2])))

    @override
    async def main_loop(self) -> None:
        while not await self.on_tick(1):
            with suppress(TimeoutError):  # a signal only sets should_exit
                await asyncio.wait_for(self._stopping.wait(), SIGNAL_SECONDS)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End as uvicorn does, which waits a tenth of a second even if nothing is left to wait for."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        left = time.monotonic() + (self.config.timeout_graceful_shutdown or 0)
        while self.server_state.connections or self.server_state.tasks:
            if self.force_exit or time.monotonic() > left:
                break
            await asyncio.sleep(POLL_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()


def _server(gate: Gate) -> _PromptServer:
    app = Starlette(routes=[*control_routes(gate), Mount("/", app=gate)], middleware=[Middleware(Door)])
    return _PromptServer(
        uvicorn.Config(
            app,
            http=LineProtocol,
            date_header=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="critical",  # replies that break off are errors to uvicorn; the gate logs its own
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )

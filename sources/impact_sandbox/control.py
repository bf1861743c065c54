"""Controls a sandbox over HTTP, from the same machine only: clock, truth, the shop's books, requests."""

from dataclasses import asdict
from datetime import datetime

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .door import require_ours
from .gate import Gate
from .shop import PLANTED
from .times import typed_time


class ClockSetting(msgspec.Struct, forbid_unknown_fields=True):
    """The clock settings that a request may contain."""

    now: datetime | None = None
    advance_days: float = 0
    advance_hours: float = 0
    advance_seconds: float = 0


class BooksWanted(msgspec.Struct, forbid_unknown_fields=True):
    """Which of the shop's books a request may ask for."""

    planted: int = PLANTED
    seed: int | None = None


def control_routes(gate: Gate) -> list[Route]:
    """Return the routes under `/sandbox/`; they spend no budget and are not among the requests recorded."""
    world = gate.world

    def clock(request: HttpRequest) -> Response:
        require_ours(request)
        return JSONResponse({"now": typed_time(world.now)})

    async def set_clock(request: HttpRequest) -> Response:
        require_ours(request)
        try:
            setting = msgspec.json.decode(await request.body(), type=ClockSetting)
        except msgspec.MsgspecError as error:
            raise HTTPException(400, str(error)) from error
        if setting.now is not None:
            world.set_now(setting.now)
        world.advance(setting.advance_days, setting.advance_hours, setting.advance_seconds)
        return JSONResponse({"now": typed_time(world.now)})

    def truth(request: HttpRequest) -> Response:
        require_ours(request)
        lines = msgspec.json.Encoder().encode_lines(world.truth().to_pylist())
        return Response(lines, media_type="application/x-ndjson")

    def requests(request: HttpRequest) -> Response:
        require_ours(request)
        with world.lock:
            return JSONResponse([asdict(seen) for seen in gate.requests])

    def books(request: HttpRequest) -> Response:
        require_ours(request)
        try:
            chosen = msgspec.convert(dict(request.query_params), type=BooksWanted, strict=False)
            found = world.shop(chosen.planted, chosen.seed)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        return Response(found.csv(request.url.path.rpartition("/")[2]), media_type="text/csv")

    return [
        Route("/sandbox/clock", clock, methods=["GET"]),
        Route("/sandbox/clock", set_clock, methods=["POST"]),
        Route("/sandbox/truth", truth, methods=["GET"]),
        *(Route(f"/sandbox/{name}", books, methods=["GET"]) for name in ("orders", "order_items", "planted")),
        Route("/sandbox/requests", requests, methods=["GET"]),
    ]

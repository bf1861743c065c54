"""Faults: each does on the wire what its name says, and the same seed throws the same ones."""

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib
from base64 import b64encode
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from impact_sandbox import Faults, Kind, World
from impact_sandbox.faults import PASSING, STAYING

from tests.impact_sandbox.conftest import Ask, Client
from tests.support.waiting import wait_for

WAIT = 2
AN_HOUR, PATIENCE = 3_600.0, 60.0
"""Seconds that no test waits for; even the busiest machine does in them what takes it a moment."""


def always(ask: Ask, kind: Kind, *, most_in_a_row: int | None = None, hang: float = 5.0, closed: float = 0.3) -> Client:
    """Start a sandbox in which one kind of fault hits every request."""
    faults = Faults(1.0, kinds=(kind,), most_in_a_row=most_in_a_row, wait=WAIT, hang=hang, closed=closed, slowly=0.2)
    return ask(World(days=5, per_day=5), faults=faults)


def talk(client: Client, timeout: float = 5.0) -> tuple[bytes, bytes, type[Exception] | None]:
    """Request the campaigns over a bare socket; returns the head, the body, and what ended them other than a close."""
    secret = b64encode(f"{client.sandbox.account_sid}:{client.sandbox.auth_token}".encode()).decode()
    wanted = [
        f"GET {client.base}/Campaigns HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Basic {secret}",
        "IR-Version: 14",
    ]
    answer, error = b"", None
    with socket.create_connection(("127.0.0.1", urlsplit(client.sandbox.url).port), timeout) as line:
        line.sendall("\r\n".join([*wanted, "Accept: application/json", "Connection: close", "", ""]).encode())
        try:
            while piece := line.recv(65536):
                answer += piece
        except OSError as caught:
            error = type(caught)
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body, error


def length(head: bytes) -> int:
    """The Content-Length in a head."""
    return next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length"))


@pytest.mark.parametrize(
    ("kind", "name", "epoch"),
    [
        (Kind.LIMIT, "x-ratelimit-reset", False),
        (Kind.LIMIT_EPOCH, "x-ratelimit-reset", True),
        (Kind.LIMIT_HOUR, "ratelimit-reset", False),
        (Kind.LIMIT_HOUR_EPOCH, "ratelimit-reset", True),
        (Kind.LIMIT_RETRY_AFTER, "retry-after", False),
    ],
)
def test_a_limit_is_told_in_each_way(ask: Ask, kind: Kind, name: str, *, epoch: bool) -> None:
    """A 429 says when to come back in the header and the unit of its kind, and in no other."""
    client = always(ask, kind)
    answer = client.get("/Campaigns")
    assert answer.status_code == 429
    told = {header: value for header, value in answer.headers.items() if "reset" in header or "retry" in header}
    assert told == {name: str(int(client.world.now.timestamp()) + WAIT if epoch else WAIT)}


def test_a_limit_may_give_a_date_or_nothing(ask: Ask) -> None:
    """Retry-After may be a date of the server's clock; and a 429 may come without any header."""
    answer = always(ask, Kind.LIMIT_RETRY_DATE).get("/Campaigns")
    assert (answer.headers["Date"], answer.headers["Retry-After"]) == (
        "Thu, 15 Jan 2026 12:00:00 GMT",
        "Thu, 15 Jan 2026 12:00:02 GMT",
    )
    bare = always(ask, Kind.LIMIT_BARE).get("/Campaigns")
    assert bare.status_code == 429
    assert not any("rate" in header or "retry" in header for header in bare.headers)


@pytest.mark.parametrize("kind", [Kind.ERROR_500, Kind.ERROR_502, Kind.ERROR_503, Kind.ERROR_504])
def test_errors_have_every_kind_of_body(ask: Ask, kind: Kind) -> None:
    """A 5xx comes with JSON, with HTML and with nothing."""
    client = always(ask, kind)
    answers = [client.get("/Campaigns") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {int(kind)}
    assert {answer.headers.get("content-type", "")[:9] for answer in answers} == {"applicati", "text/html", ""}
    assert sorted(answer.content[:1] for answer in answers) == [b"", b"<", b"{"]


def test_a_200_that_is_no_answer(ask: Ask) -> None:
    """Empty, HTML, null, without its list, or cut off: all with status 200 and in well-formed HTTP."""
    kinds = (Kind.EMPTY, Kind.HTML, Kind.NULL, Kind.LISTLESS, Kind.CUT)
    answers = {kind: always(ask, kind).get("/Campaigns") for kind in kinds}
    assert all(answer.status_code == 200 for answer in answers.values())
    assert answers[Kind.EMPTY].content == b""
    assert answers[Kind.HTML].text.startswith("<!DOCTYPE html>")
    assert answers[Kind.NULL].json() is None
    assert "@total" in answers[Kind.LISTLESS].json()
    assert "Campaigns" not in answers[Kind.LISTLESS].json()
    with pytest.raises(json.JSONDecodeError):
        answers[Kind.CUT].json()


def test_gzip_damage(ask: Ask) -> None:
    """A compressed body is damaged in the middle of its stream, or ends before the stream does."""
    with pytest.raises(httpx.DecodingError):
        always(ask, Kind.GZIP_DAMAGED).get("/Campaigns")
    head, body, _ = talk(always(ask, Kind.GZIP_CUT))
    assert b"Content-Encoding: gzip".lower() in head.lower()
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert unpacking.decompress(body).startswith(b'{"@')
    assert not unpacking.eof


def test_gzip_bombs(ask: Ask) -> None:
    """Kilobytes unpack to megabytes; an answer is compressed twice and says so."""
    _, body, _ = talk(always(ask, Kind.GZIP_BOMB))
    assert len(body) < 100_000
    assert len(gzip.decompress(body)) > 10_000_000
    head, body, _ = talk(always(ask, Kind.GZIP_TWICE))
    assert b"content-encoding: gzip, gzip" in head.lower()
    assert json.loads(gzip.decompress(gzip.decompress(body)))["Campaigns"]


@pytest.mark.parametrize(
    ("kind", "starts", "goes_on"),
    [
        (Kind.DRIP_HEAD, b"HTTP/1.1 200 OK\r\n", b"xxx"),
        (Kind.DRIP_INFORM, b"HTTP/1.1 103 Early Hints\r\n\r\n", b"103 Early Hints"),
        (Kind.DRIP_GZIP, b"HTTP/1.1 200 OK\r\n", b"5\r\n\0\0\0\xff\xff\r\n"),
        (Kind.DRIP_TRAILER, b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
    ],
)
def test_drips_without_end(ask: Ask, kind: Kind, starts: bytes, goes_on: bytes) -> None:
    """Bytes keep coming that never end the answer, until the client leaves or the connection is reset."""
    head, body, ended = talk(always(ask, kind, hang=0.3))
    assert ended is ConnectionResetError
    answer = head + b"\r\n\r\n" + body
    assert answer.startswith(starts)
    assert answer.count(goes_on) > 2


def test_next_links(ask: Ask) -> None:
    """A page links to itself, to another host, or on and on."""
    page = always(ask, Kind.NEXT_SELF).get("/Campaigns").json()
    assert page["@nextpageuri"] == page["@uri"]
    page = always(ask, Kind.NEXT_ELSEWHERE).get("/Campaigns").json()
    assert urlsplit(page["@nextpageuri"]).hostname == "elsewhere.invalid"
    client = always(ask, Kind.NEXT_ENDLESS)
    link = f"{client.base}/Campaigns"
    for number in range(1, 4):
        page = client.http.get(link).json()
        assert page["@page"] == str(number)
        link = page["@nextpageuri"]
    assert parse_qs(urlsplit(link).query) == {"Page": ["4"]}


@pytest.mark.parametrize(
    ("kind", "whole", "promised", "error"),
    [
        (Kind.RESET, None, None, ConnectionResetError),
        (Kind.RESET_AMID, False, 0, ConnectionResetError),
        (Kind.CLOSED_AMID, False, 0, None),
        (Kind.LENGTH_LONG, True, 1, None),
        (Kind.LENGTH_SHORT, True, -1, None),
    ],
)
def test_broken_lines(
    ask: Ask, kind: Kind, *, whole: bool | None, promised: int | None, error: type[Exception] | None
) -> None:
    """Resets and closes come where they should, and a false Content-Length comes with the bytes that it misstates."""
    client = always(ask, kind)
    head, body, ended = talk(client)
    assert ended is error
    client.sandbox.faults = Faults()
    true = client.get("/Campaigns").content
    if whole is None:
        assert head == body == b""
    else:
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert body == (true if whole else true[: len(true) // 2])
        assert (length(head) > len(true)) - (length(head) < len(true)) == promised


def test_refused_connections(ask: Ask) -> None:
    """The request that is hit is reset, and no connection is accepted for the stated time."""
    client = always(ask, Kind.REFUSED, closed=AN_HOUR)
    assert talk(client)[2] is ConnectionResetError
    with pytest.raises(ConnectionRefusedError):
        talk(client)


def test_connections_are_accepted_again(ask: Ask) -> None:
    """After a moment of refusing, the sandbox answers on the same port."""
    client = always(ask, Kind.REFUSED, closed=0.05)
    assert talk(client)[2] is ConnectionResetError
    client.sandbox.faults = Faults()

    def answer() -> bytes:
        with contextlib.suppress(ConnectionRefusedError):
            return talk(client)[1]
        return b""

    assert wait_for(answer, PATIENCE).startswith(b"{")


def test_a_sandbox_may_end_while_it_refuses(ask: Ask) -> None:
    """A sandbox that accepts no connections can be stopped, at once."""
    client = always(ask, Kind.REFUSED, closed=AN_HOUR)
    talk(client)
    ending = threading.Thread(target=client.sandbox.__exit__, args=(None, None, None), daemon=True)
    ending.start()
    ending.join(PATIENCE)
    assert not ending.is_alive()
    client.sandbox.__enter__()


def test_no_answer_and_a_slow_one(ask: Ask) -> None:
    """A request hangs until its client gives up, or is dropped; a dripped answer is complete in the end, but later."""
    assert talk(always(ask, Kind.HANG), timeout=0.2) == (b"", b"", TimeoutError)
    assert talk(always(ask, Kind.HANG, hang=0.05)) == (b"", b"", ConnectionResetError)
    client = always(ask, Kind.DRIP)
    began = time.monotonic()
    head, body, ended = talk(client)
    assert time.monotonic() - began >= 0.2
    assert (ended, length(head)) == (None, len(body))
    assert json.loads(body)["Campaigns"]


def test_the_same_seed_throws_the_same_faults(ask: Ask) -> None:
    """What happens to a request depends on the seed and its number; the share that is hit is the rate."""
    drawn = [Faults(0.2, seed=7).draw(number) for number in range(2000)]
    assert drawn == [Faults(0.2, seed=7).draw(number) for number in range(2000)]
    assert drawn != [Faults(0.2, seed=8).draw(number) for number in range(2000)]
    assert 0.17 < sum(kind is not None for kind in drawn) / len(drawn) < 0.23
    assert set(drawn) == {None, *PASSING}
    assert set(PASSING) | STAYING == set(Kind)
    faults = Faults(0.5, seed=3, kinds=(Kind.ERROR_500, Kind.NULL, Kind.LIMIT))
    clients = [ask(World(days=1, per_day=1), faults=faults) for _ in range(2)]
    statuses, again = ([client.get("/Campaigns").status_code for _ in range(12)] for client in clients)
    assert statuses == again
    assert len(set(statuses)) > 1


def test_faults_are_counted_and_can_be_changed(ask: Ask) -> None:
    """The sandbox reports how often it threw each fault, and its faults can be changed while it runs."""
    client = always(ask, Kind.ERROR_503)
    client.get("/Campaigns")
    client.get("/Campaigns")
    client.sandbox.faults = Faults(1.0, kinds=(Kind.RESET,))
    with pytest.raises(httpx.ReadError):
        client.get("/Campaigns")
    client.sandbox.faults = Faults()
    assert client.rows("/Campaigns")
    assert client.sandbox.thrown == Counter({Kind.ERROR_503: 2, Kind.RESET: 1})
    assert [request.status for request in client.sandbox.requests] == [503, 503, 0, 200]


def test_a_request_goes_wrong_only_so_often_in_a_row(ask: Ask) -> None:
    """However high the rate, a client that retries often enough is answered; each request counts for itself."""
    client = always(ask, Kind.ERROR_500, most_in_a_row=2)
    asked = ["/Campaigns", "/Actions/x", "/Campaigns", "/Actions/x", "/Campaigns", "/Actions/x", "/Campaigns"]
    assert [client.get(path).status_code for path in asked] == [500, 500, 500, 500, 200, 404, 500]


def test_credentials_expire(ask: Ask) -> None:
    """After so many requests every further one is refused as if the token were wrong."""
    client = ask(World(days=1, per_day=1), faults=Faults(expire_after=2))
    assert [client.get("/Campaigns").status_code for _ in range(4)] == [200, 200, 401, 401]
    assert client.sandbox.thrown == Counter({"401": 2})


def test_what_is_refused_is_not_done(ask: Ask) -> None:
    """A request that gets a 429 or a 401 never happened; of those that get a 5xx, some did."""

    def done(faults: Faults) -> int:
        happened: list[str] = []
        client = ask(World(days=1, per_day=1), faults=faults)
        client.sandbox.on_request = lambda request: happened.append(request.path)
        for _ in range(4):
            client.get("/Campaigns")
        return len(happened)

    assert done(Faults(1.0, kinds=(Kind.LIMIT,), most_in_a_row=None)) == 0
    assert done(Faults(expire_after=0)) == 0
    assert done(Faults(1.0, kinds=(Kind.ERROR_503,), most_in_a_row=None)) == 2


def test_what_a_fault_would_not_change_is_not_hit(ask: Ask) -> None:
    """A single action has no pages, so it gets no wrong link to another one, and nothing is counted."""
    client = always(ask, Kind.NEXT_ELSEWHERE)
    action_id = client.world.truth()["Id"][0].as_py()
    assert client.get(f"/Actions/{action_id}").json()["Id"] == action_id
    assert not client.sandbox.thrown

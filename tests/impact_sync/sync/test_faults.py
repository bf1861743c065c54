"""Whatever goes wrong on the way: the run ends true, or stops with the error and the exit code that say why."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from impact_sandbox import Campaign, Faults, Kind, Reply, Request
from impact_sandbox.faults import PASSING
from impact_source.actions.reading import WindowReader
from impact_source.api import quota
from impact_source.api.client import Client
from impact_source.api.clock import Clock
from impact_source.api.wire import Patience
from impact_source.errors import (
    BudgetSpent,
    ConfigurationError,
    CredentialsError,
    ImpactError,
    InvalidAnswer,
    RequestRefused,
    Unavailable,
)
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Counts, Window
from impact_sync.console.exits import Exit, exit_code

from tests.support.account import Account, own_clock

Make = Callable[..., Account]
BRIEF = Patience(read=0.3)
SHORT = Patience(read=60, total=0.3)
_MOST = 60.0
"""Seconds in which even the busiest machine does what takes it a moment."""
DRIPS = tuple(kind for kind in Kind if kind.name.startswith("DRIP_"))
ONE = (Campaign(id="1000", name="Acme"),)
RETRIED = tuple(kind for kind in PASSING if kind is not Kind.REFUSED)
"""Faults that the next request meets too: refused connections stay refused for a while, however often one tries."""
UNPACKED = (Kind.GZIP_DAMAGED, Kind.GZIP_TWICE)
"""Answers that cannot be unpacked, so there is no answer."""
LIMITS = tuple(kind for kind in RETRIED if kind.startswith("429"))
ERRORS = tuple(kind for kind in RETRIED if kind.startswith("5"))
OTHERS = tuple(kind for kind in RETRIED if kind not in LIMITS + ERRORS)
TOGETHER = {"limits": LIMITS, "errors": ERRORS} | {f"others {first}": OTHERS[first::3] for first in range(3)}
ALONE = {str(kind): (kind,) for kind in OTHERS}


@pytest.fixture(autouse=True)
def _no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """No margin of a second after the hourly limit has reset."""
    monkeypatch.setattr(quota, "MARGIN", 0.0)


def faults(rate: float, *kinds: Kind, most_in_a_row: int | None = 2, hang: float = 0.1) -> Faults:
    """Short faults that end within a test's three attempts, unless they are unlimited."""
    return Faults(rate, kinds=kinds or RETRIED, most_in_a_row=most_in_a_row, wait=0, slowly=0.1, hang=hang, closed=60)


def ids(one: Account, patience: Patience | None = None, **changes: Any) -> list[str]:  # noqa: ANN401 - any setting
    """The ids of the account's campaigns, as a client lists them."""
    with Client(one.settings(**changes), patience=patience) as made:
        return [c["Id"] for answer in made.campaigns() for c in json.loads(bytes(answer.value.records))]


@pytest.mark.parametrize("kind", RETRIED)
def test_a_request_that_fails_twice_is_sent_until_it_is_answered(account: Make, kind: Kind) -> None:
    """Each kind of fault costs requests, and the list is right in the end."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.faults = faults(1.0, kind)
    assert ids(one) == ["1000"]
    assert one.sandbox.thrown[kind] > 0


@pytest.mark.parametrize(
    "kinds",
    [
        *(pytest.param(kinds, id=name) for name, kinds in TOGETHER.items()),
        *(pytest.param(kinds, id=name, marks=pytest.mark.long) for name, kinds in ALONE.items()),
    ],
)
def test_a_sync_in_which_every_request_fails_at_first_ends_true(account: Make, kinds: tuple[Kind, ...]) -> None:
    """Faults, of several kinds or of one, thrown once at every request, cost requests but no correctness."""
    one = account(days=40, per_day=5, campaigns=ONE)
    one.sandbox.faults = faults(1.0, *kinds, most_in_a_row=1)
    assert one.sync(start_date=one.world.now - timedelta(days=44)).exit is Exit.DONE
    one.assert_true()
    assert sum(one.sandbox.thrown.values()) > 0


@pytest.mark.long
def test_a_sync_with_a_fifth_of_all_requests_failing_ends_true(account: Make) -> None:
    """With random faults of all kinds, two syncs a month apart are done and true, and the faults were many."""
    one = account(days=60, per_day=20)
    one.start = None
    one.sandbox.faults = faults(0.2)
    assert one.sync().exit is Exit.DONE
    one.assert_true()
    one.world.advance(days=30)
    assert one.sync().exit is Exit.DONE
    one.assert_true()
    assert sum(one.sandbox.thrown.values()) >= 8
    assert len(one.sandbox.thrown) >= 6


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        *((kind, BudgetSpent, Exit.EARLY) for kind in Kind if kind.startswith("429")),
        *((kind, Unavailable, Exit.FAILED) for kind in Kind if kind.startswith("5")),
        *((kind, InvalidAnswer, Exit.FAILED) for kind in Kind if kind.startswith("200") and kind not in UNPACKED),
        *((kind, Unavailable, Exit.FAILED) for kind in UNPACKED),
        (Kind.NEXT_SELF, InvalidAnswer, Exit.FAILED),
        (Kind.NEXT_ELSEWHERE, ConfigurationError, Exit.USAGE),
        (Kind.NEXT_ENDLESS, InvalidAnswer, Exit.FAILED),
        (Kind.REFUSED, Unavailable, Exit.FAILED),
        (Kind.RESET, Unavailable, Exit.FAILED),
        (Kind.RESET_AMID, Unavailable, Exit.FAILED),
        (Kind.CLOSED_AMID, Unavailable, Exit.FAILED),
        (Kind.LENGTH_LONG, Unavailable, Exit.FAILED),
        (Kind.LENGTH_SHORT, InvalidAnswer, Exit.FAILED),
        *((kind, Unavailable, Exit.FAILED) for kind in (Kind.HANG, *DRIPS)),
    ],
)
def test_a_fault_that_stays_is_an_error(account: Make, kind: Kind, error: type[ImpactError], code: Exit) -> None:
    """What no retry fixes ends after few requests, with its own error and exit code."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.faults = faults(1.0, kind, most_in_a_row=None, hang=60)
    with pytest.raises(error) as caught:
        ids(one, BRIEF if kind is Kind.HANG else SHORT if kind in DRIPS else None)
    assert exit_code(caught.value) is code
    assert len(one.sandbox.requests) <= 5
    assert one.sandbox.account_sid not in str(caught.value)


def test_a_run_that_gets_no_answers_moves_nothing(account: Make) -> None:
    """When actions are answered with nothing under status 200, runs fail, rows stay, and later runs recover."""
    one = account(days=40, per_day=5, campaigns=ONE)
    start = one.world.now - timedelta(days=44)
    one.first_sync(start_date=start)
    one.world.advance(days=7)
    held = one.held()
    for kind in (Kind.LISTLESS, Kind.LENGTH_SHORT):
        one.sandbox.faults = Faults()
        one.sandbox.on_request = partial(_fail_from_now, one, kind)
        with pytest.raises(InvalidAnswer):
            one.sync(start_date=start)
        assert one.held() == held
    one.sandbox.on_request, one.sandbox.faults = None, Faults()
    assert one.sync(start_date=start).exit is Exit.DONE
    one.assert_true()


def _fail_from_now(one: Account, kind: Kind, _: Request) -> None:
    """Answer this request, which lists the campaigns, and throw one kind of fault at all later ones."""
    if not one.sandbox.faults.rate:
        one.sandbox.faults = faults(1.0, kind, most_in_a_row=None)


def test_the_sandbox_command_throws_faults_and_counts_them() -> None:
    """`impact sandbox --faults` makes requests fail and shows in the end how many, by kind."""
    command = [str(Path(sys.executable).parent / "impact"), "sandbox", "--port", "0", "--days", "2", "--per-day", "2"]
    with subprocess.Popen([*command, "--faults", "1"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        url = next(match[1] for line in server.stdout if (match := re.search(r"BASE_URL=(\S+)", line)))
        with httpx.Client(base_url=url, timeout=1, trust_env=False) as http:
            for _ in range(5):
                with contextlib.suppress(httpx.TransportError):
                    http.get("/Advertisers/x/Campaigns")
        server.send_signal(signal.SIGINT)
        assert "Faults thrown" in server.stdout.read()


def test_credentials_that_expire_amid_a_run_end_it_with_what_landed(account: Make) -> None:
    """A token that is revoked half-way stops the run with exit code 2; with a new one the next run ends true."""
    one = account(days=60, per_day=10)
    one.start = None
    one.sandbox.faults = Faults(expire_after=20)
    summary = one.sync()
    assert summary.exit is Exit.USAGE
    assert isinstance(summary.error, CredentialsError)
    assert one.sandbox.thrown["401"] <= 5, "refused credentials are not tried again"
    one.sandbox.faults = Faults()
    assert one.sync().exit is Exit.DONE
    one.assert_true()


def test_a_server_that_is_gone_for_a_moment_is_waited_for(account: Make) -> None:
    """A refused connection is tried again after a pause, so a restart of the server goes unnoticed."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.faults = Faults(1.0, kinds=(Kind.REFUSED,), most_in_a_row=1, closed=0.01)
    assert ids(one, max_attempts=8, retry_wait=timedelta(seconds=1)) == ["1000"]
    assert one.sandbox.thrown == {Kind.REFUSED: 1}


def test_an_answer_that_drips_is_not_waited_for_for_ever(account: Make) -> None:
    """Even if bytes keep coming within their time-out, an answer has a time limit."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.faults = Faults(1.0, kinds=(Kind.DRIP,), slowly=2)
    with pytest.raises(Unavailable, match="ReadTimeout"):
        ids(one, Patience(read=1.0, total=0.2))


@pytest.mark.parametrize("kind", DRIPS)
def test_whatever_comes_without_end_is_given_up_at_the_deadline(account: Make, kind: Kind) -> None:
    """Headers, interim answers, a trailer, or compressed nothing, byte after byte: the request ends at its deadline."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.faults = faults(1.0, kind, most_in_a_row=None, hang=10)
    with pytest.raises(Unavailable, match=r"no complete answer after 0\.3 s"):
        ids(one, SHORT)
    assert one.sandbox.thrown[kind] == 3


def test_a_proxy_that_answers_without_end_is_given_up_at_the_deadline(
    account: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection through a proxy is part of the request, and so is the time it takes."""
    one = account(days=1, per_day=0, campaigns=ONE)
    with _dripping(b"HTTP/1.1 200 Connection established\r\nX-Slow: ") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with (
            Client(one.settings(base_url="https://api.invalid"), patience=SHORT) as made,
            pytest.raises(Unavailable, match=r"no complete answer after 0\.3 s"),
        ):
            list(made.campaigns())


def test_a_handshake_without_end_is_given_up(account: Make) -> None:
    """A server that never gets to the end of the TLS handshake is as good as none."""
    one = account(days=1, per_day=0, campaigns=ONE)
    record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"  # a ServerHello of 16 KB begins
    with (
        _dripping(record) as port,
        Client(one.settings(base_url=f"https://127.0.0.1:{port}"), patience=Patience(connect=0.3)) as made,
        pytest.raises(Unavailable, match="handshake operation timed out"),
    ):
        list(made.campaigns())


@contextlib.contextmanager
def _dripping(start: bytes) -> Iterator[int]:
    """The port of a server that answers everybody with a start and then a byte now and then."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(start)
            while not ended.wait(0.02):
                connection.sendall(b"x")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()


def test_a_bomb_is_not_unpacked_beyond_what_a_page_can_be(account: Make) -> None:
    """Of kilobytes that unpack to megabytes in one piece, no more is unpacked than allowed."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.faults = faults(1.0, Kind.GZIP_BOMB, most_in_a_row=None)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidAnswer, match="larger than 1,000,000 bytes"):
            ids(one, Patience(most_bytes=1_000_000))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_an_answer_that_unpacks_to_more_than_any_page_is_refused(account: Make) -> None:
    """A small body that unpacks without end does not fill the memory."""
    one = account(days=1, per_day=0, campaigns=ONE)
    with pytest.raises(InvalidAnswer, match="larger than 100 bytes"):
        ids(one, Patience(most_bytes=100))


def page(number: int, rows: int, link: str = "", **envelope: str) -> Reply:
    """A page of campaigns."""
    parts = {"@page": str(number), "@nextpageuri": link} | {f"@{name}": value for name, value in envelope.items()}
    return Reply(200, json.dumps(parts | {"Campaigns": [{"Id": f"{number}.{n}"} for n in range(rows)]}).encode())


@pytest.mark.parametrize(
    ("rows", "envelope", "says", "requests"),
    [
        (2, {"total": "5"}, "the list has more rows than its total of 5", 5),
        (0, {"total": "5"}, "an empty page links to another page", 3),
        pytest.param(1, {}, "the list does not end after 1,000 pages", 1_002, marks=pytest.mark.long),
    ],
)
def test_a_list_that_never_ends_is_an_error(
    account: Make, rows: int, envelope: dict[str, str], says: str, requests: int
) -> None:
    """A list whose every page links to a new one is given up once it contradicts itself, or is absurdly long."""
    one = account(days=1, per_day=0, campaigns=ONE)

    def endless(request: Request) -> Reply:
        number = int(request.query.get("Page", "1"))
        return page(number, rows, f"{request.path}?Page={number + 1}", **envelope)

    one.sandbox.on_request = endless
    with pytest.raises(InvalidAnswer, match=f"^{says}$"):
        ids(one, requests_per_hour=2_000)
    assert len(one.sandbox.requests) == requests


def test_a_list_without_a_total_is_read_to_its_end(account: Make) -> None:
    """Pages need not say how many rows there are, as long as the last one links no further."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.on_request = lambda r: page(2, 1) if "Page" in r.query else page(1, 2, f"{r.path}?Page=2")
    assert ids(one) == ["1.0", "1.1", "2.0"]


def test_more_pages_than_the_total_fills_are_not_read(account: Make) -> None:
    """A million pages of three actions are a wrong answer, not a million requests."""
    one = account(days=1, per_day=0, campaigns=ONE)
    absurd = {"@page": "1", "@numpages": "1000000", "@total": "3", "@nextpageuri": "/x?Page=2", "Actions": []}
    one.sandbox.on_request = lambda _: Reply(200, json.dumps(absurd).encode())
    window = Window(one.world.now - timedelta(days=1), one.world.now)
    with Client(one.settings()) as made, pytest.raises(InvalidAnswer, match="1000000 pages for only 3 actions"):
        made.actions("1000", {Axis.UPDATED: window}, 2_000)


def test_one_action_is_the_one_asked_for(account: Make) -> None:
    """An object under status 200 that is another action, or an error, is requested again."""
    one = account(days=5, per_day=5, campaigns=ONE)
    action_id = str(one.world.truth()["Id"][0].as_py())
    wrong = [Reply(200, b"{}"), Reply(200, b'{"Status": "ERROR"}'), Reply(200, b'{"Id": "other"}')]
    with Client(one.settings()) as made:
        for reply in wrong:
            replies = [reply]
            one.sandbox.on_request = lambda _, waiting=replies: waiting.pop() if waiting else None
            assert json.loads(made.action(action_id).value)["Id"] == action_id
    assert len(one.sandbox.requests) == 2 * len(wrong)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(204), InvalidAnswer),
        (Reply(206, b'{"Campaigns": []}'), InvalidAnswer),
        (Reply(408), Unavailable),
        (Reply(200, b'{"Campaigns": ' + b"[" * 200_000), InvalidAnswer),
        (Reply(500, b"[" * 200_000), Unavailable),
        (Reply(418), RequestRefused),
    ],
    ids=lambda value: f"{value.status} {value.body[:16]!r}" if isinstance(value, Reply) else value.__name__,
)
def test_odd_answers_are_errors_of_ours(account: Make, reply: Reply, error: type[Exception]) -> None:
    """Success without an answer, a server's time-out, endlessly nested JSON: each has its error."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.on_request = lambda _: reply
    with pytest.raises(error):
        ids(one)


def test_a_link_that_is_no_address_is_an_error_of_ours(account: Make) -> None:
    """A link to a next page that cannot be parsed ends in an error that shows it."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.on_request = lambda _: page(1, 1, "http://[::1")
    with pytest.raises(InvalidAnswer, match="invalid link"):
        ids(one)


def test_the_rest_of_a_cut_answer_is_not_taken_for_the_next(account: Make) -> None:
    """Bytes after a Content-Length that was too short spoil no later answer: the connection is not reused."""
    one = account(days=1, per_day=0, campaigns=ONE)
    good = json.dumps({"@page": "1", "@total": "0", "@nextpageuri": "", "Campaigns": []}).encode()
    rest = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(good), good)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one_answer = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + b'{"@page"' + rest
        connections = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connections.append(listener.accept()[0])
                    connections[-1].recv(65536)
                    connections[-1].sendall(one_answer)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Client(one.settings(base_url=url)) as made, pytest.raises(InvalidAnswer, match="not a JSON object"):
            list(made.campaigns())
        for connection in connections:
            connection.close()
    assert len(connections) == 3


def test_the_clock_of_a_gateway_is_not_the_servers(account: Make) -> None:
    """The date on an error page says nothing about the API's clock, which windows depend on."""
    one = account(days=5, per_day=5, campaigns=ONE)
    replies = [Reply(502, headers={"Date": "Tue, 01 Jan 2030 00:00:00 GMT"})]
    one.sandbox.on_request = lambda _: replies.pop() if replies else None
    with Client(one.settings(), clock=Clock(own_clock(one.world, timedelta(days=400)))) as made:
        list(made.campaigns())
        assert made.clock.now().replace(microsecond=0) == one.world.now


def test_a_pause_before_a_retry_ends_when_the_run_is_abandoned(account: Make) -> None:
    """Ctrl-C while a failed request waits to be repeated does not wait for it, nor for the hourly limit."""
    one = account(days=1, per_day=0, campaigns=ONE)
    failing, ended = threading.Event(), threading.Event()

    def fail(_: Request) -> Reply:
        failing.set()
        return Reply(503)

    def list_them() -> None:
        with pytest.raises(BudgetSpent, match="stopped"):
            list(made.campaigns())
        ended.set()

    one.sandbox.on_request = fail
    with Client(one.settings(retry_wait=timedelta(hours=10))) as made:
        reader = WindowReader(made, 2_000, _Nothing())
        threading.Thread(target=list_them, daemon=True).start()
        assert failing.wait(_MOST)
        reader.close()
        assert ended.wait(_MOST)
    assert len(one.sandbox.requests) == 1


def test_waiting_for_an_answer_ends_when_the_run_is_abandoned(account: Make) -> None:
    """Ctrl-C while the API does not answer does not wait for the time-out of a minute."""
    one = account(days=1, per_day=0, campaigns=ONE)
    one.sandbox.faults = faults(1.0, Kind.HANG, most_in_a_row=None, hang=3_600)
    asked, ended = threading.Event(), threading.Event()
    one.sandbox.on_request = lambda _: asked.set()
    with Client(one.settings(), patience=Patience(read=3_600, total=3_600)) as made:

        def list_them() -> None:
            with pytest.raises(BudgetSpent, match="stopped"):
                list(made.campaigns())
            ended.set()

        threading.Thread(target=list_them, daemon=True).start()
        assert asked.wait(_MOST)
        made.stop()
        assert ended.wait(_MOST)


class _Nothing:
    """Knows no actions."""

    def counts(self, campaign_id: str, axis: Axis, windows: dict[Axis, Window]) -> Counts:  # noqa: ARG002
        """No counts."""
        return []

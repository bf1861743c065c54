"""One request: what is retried, what is refused, and where credentials never go."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from impact_sandbox import Reply, Request, Rules
from impact_source.api.answers import read_object
from impact_source.api.budget import Budget
from impact_source.api.client import Client
from impact_source.api.clock import Clock
from impact_source.api.lists import ACTIONS
from impact_source.api.protocol import Body
from impact_source.api.wire import Patience, Wire, as_read
from impact_source.errors import (
    BudgetSpent,
    ConfigurationError,
    CredentialsError,
    ImpactError,
    InvalidAnswer,
    NotFound,
    RequestRefused,
    ScopeError,
    Unavailable,
    WindowTooFull,
)
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window
from impact_source.settings import Settings
from impact_source.shown import Mask

from tests.support.account import Account, own_clock

Make = Callable[..., Account]
DAY = timedelta(days=1)


@pytest.fixture
def one(account: Make) -> Account:
    """An account without actions: most tests list its campaigns."""
    return account(days=1, per_day=0)


@pytest.fixture
def client(one: Account) -> Iterator[Client]:
    """A client of that account."""
    with Client(one.settings(max_wait=timedelta(0))) as made:
        yield made


def answers(one: Account, *replies: Reply | None) -> None:
    """Have the sandbox give these answers first (`None` is its own), and its own from then on."""
    waiting = list(replies)
    one.sandbox.on_request = lambda _: waiting.pop(0) if waiting else None


def ids(client: Client) -> list[str]:
    """The ids of the account's campaigns."""
    return [c["Id"] for answer in client.campaigns() for c in json.loads(bytes(answer.value.records))]


def test_each_answer_tells_how_long_it_took_itself(one: Account) -> None:
    """An answer that is read while another thread's arrives keeps its own seconds."""
    slow, quick = one.world.create(), one.world.create()
    one.sandbox.on_request = lambda request: time.sleep(0.5) if request.path.endswith(slow) else None
    reading, over = threading.Event(), threading.Event()
    settings = one.settings()

    def wait(status: int, headers: Mapping[str, str], body: Body) -> bytes:
        reading.set()
        assert over.wait(30)
        return read_object(status, headers, body)

    with closing(Wire(settings, Clock(), Budget(settings.requests_per_hour, 0), Patience())) as wire:
        path = f"/Advertisers/{settings.account_sid}/Actions"
        with ThreadPoolExecutor(1) as other:
            later = other.submit(wire.get, wire.resolve(f"{path}/{slow}"), None, wait, as_read)
            assert reading.wait(30)
            wire.get(wire.resolve(f"{path}/{quick}"), None, read_object, as_read)
            over.set()
            assert later.result().seconds >= 0.5


BROKEN = [
    Reply(500, b"oops"),
    Reply(502, b"<html>"),
    Reply(503, b""),
    Reply(504, b"{}"),
    Reply(200, b"null"),
    Reply(200, b"<html>please wait</html>"),
    Reply(200, b""),
    Reply(200, b'{"@total": "2"}'),
    Reply(200, b'{"Campaigns": [{"Id": "10'),
    Reply(200, b'{"Campaigns": [' + b" " * 5000, cut_after=20),
]


@pytest.mark.parametrize("reply", BROKEN, ids=lambda reply: f"{reply.status} {reply.body[:20]!r}")
def test_what_may_pass_is_asked_for_again(one: Account, client: Client, reply: Reply) -> None:
    """A broken answer costs a second request, not the run, and never counts as an empty list."""
    answers(one, reply)
    assert ids(client) == ["1000", "2000"]
    assert len(one.sandbox.requests) == 2


def test_what_stays_broken_is_an_error_after_a_few_tries(one: Account, client: Client) -> None:
    """Retries are limited; the error then says what came back."""
    one.sandbox.on_request = lambda _: Reply(503)
    with pytest.raises(Unavailable, match="503"):
        ids(client)
    assert len(one.sandbox.requests) == 3
    one.sandbox.on_request = lambda _: Reply(200, b"<html>")
    with pytest.raises(InvalidAnswer, match="<html>"):
        ids(client)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(401), CredentialsError),
        (Reply(403), ScopeError),
        (Reply(404), NotFound),
        (Reply(400, b'{"Message": "Too many records"}'), WindowTooFull),
        (Reply(400, b'{"Errors": [{"Field": "EndDate", "Message": "no"}]}'), RequestRefused),
    ],
)
def test_what_a_retry_cannot_fix_is_requested_once(
    one: Account, client: Client, reply: Reply, error: type[Exception]
) -> None:
    """Refusals are final: a retry would only spend requests."""
    one.sandbox.on_request = lambda _: reply
    with pytest.raises(error):
        ids(client)
    assert len(one.sandbox.requests) == 1


def test_a_spent_hour_stops_where_waiting_is_not_allowed(one: Account, client: Client) -> None:
    """A 429 with half an hour to go ends the run rather than blocking it."""
    one.sandbox.on_request = lambda _: Reply(429, headers={"X-RateLimit-Reset": "1800"})
    with pytest.raises(BudgetSpent, match="30 min"):
        ids(client)
    assert len(one.sandbox.requests) == 1


def test_a_short_wait_for_the_hour_to_turn_is_waited(one: Account) -> None:
    """A 429 that demands no wait at all is followed by the request once more, and it succeeds."""
    answers(one, Reply(429, headers={"Retry-After": "0"}))
    with Client(one.settings(max_wait=timedelta(seconds=5))) as client:
        assert ids(client) == ["1000", "2000"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(one: Account, client: Client, status: int) -> None:
    """Credentials go to the configured origin and nowhere else."""
    one.sandbox.on_request = lambda _: Reply(status, headers={"Location": "http://localhost:9/Advertisers/x/Campaigns"})
    with pytest.raises(ConfigurationError, match="another host"):
        ids(client)
    assert len(one.sandbox.requests) == 1


def test_a_redirect_within_the_origin_is_followed(one: Account, client: Client) -> None:
    """A moved path on the same host is still the API."""
    target = f"/Advertisers/{one.sandbox.account_sid}/Campaigns.json"
    answers(one, Reply(307, headers={"Location": target}))
    assert ids(client) == ["1000", "2000"]


def listing(next_link: str) -> Reply:
    """A page of campaigns that links to a further one."""
    envelope = {"@page": "1", "@numpages": "2", "@total": "2", "@nextpageuri": next_link, "Campaigns": [{"Id": "1"}]}
    return Reply(200, json.dumps(envelope).encode())


ELSEWHERE = [
    "https://evil.example:{port}/Campaigns?Page=2",
    "//evil.example:{port}/Campaigns",
    "http://127.0.0.1.evil.example:{port}/x",
    "http://127.0.0.1:{port}@evil.example:{port}/x",
    "http://localhost:{port}/x",
    "http://127.0.0.1:{other}/x",
    "http://127.0.0.1/x",
    "https://127.0.0.1:{port}/x",
    "ftp://127.0.0.1:{port}/x",
]


@pytest.mark.parametrize("link", ELSEWHERE)
def test_a_next_page_elsewhere_is_not_followed(one: Account, client: Client, link: str) -> None:
    """A link cannot take credentials to another host or port, nor to the same ones over another scheme."""
    port = urlsplit(one.sandbox.url).port or 0
    answers(one, listing(link.format(port=port, other=port + 1)))
    with pytest.raises(ConfigurationError, match="links to another host"):
        ids(client)
    assert len(one.sandbox.requests) == 1


@pytest.mark.parametrize("link", ELSEWHERE)
def test_a_redirect_elsewhere_is_not_followed(one: Account, client: Client, link: str) -> None:
    """Credentials do not follow a redirect over another scheme, port or host either."""
    port = urlsplit(one.sandbox.url).port or 0
    answers(one, Reply(302, headers={"Location": link.format(port=port, other=port + 1)}))
    with pytest.raises(ConfigurationError, match="links to another host"):
        ids(client)
    assert len(one.sandbox.requests) == 1


def test_a_next_page_that_points_to_itself_ends_in_an_error(one: Account, client: Client) -> None:
    """A list that never ends is detected at its first repetition."""
    one.sandbox.on_request = lambda _: listing("/Advertisers/x/Campaigns?Page=2")
    with pytest.raises(InvalidAnswer, match="already read"):
        ids(client)
    assert len(one.sandbox.requests) == 1 + 3, "the page that repeats is asked for again, then given up"


def test_a_window_of_actions_is_read_page_by_page(account: Make) -> None:
    """Pages of one window together hold exactly the window's actions, each once."""
    one = account(days=10, per_day=3, rules=Rules(most_a_page=10))
    with Client(one.settings()) as client:
        first = client.actions("1000", {Axis.UPDATED: Window(one.world.now - 44 * DAY, one.world.now)}, 2_000)
        rest = [client.numbered_rows(ACTIONS, first.value, n, as_read) for n in range(2, first.value.pages + 1)]
    found = [a["Id"] for answer in (first, *rest) for a in json.loads(bytes(answer.value.records))]
    assert first.value.pages == 3
    assert sorted(found) == sorted(str(row["id"]) for row in one.truth().values() if row["campaign_id"] == "1000")


def test_a_page_that_is_not_the_one_asked_for_is_refused(account: Make) -> None:
    """A server that repeats page 1 for every number is detected."""
    one = account(days=10, per_day=3, rules=Rules(most_a_page=10))
    with Client(one.settings()) as client:
        first = client.actions("1000", {Axis.UPDATED: Window(one.world.now - 44 * DAY, one.world.now)}, 2_000)
        repeated = json.dumps({"@page": "1", "@numpages": "3", "@total": "9", "Actions": []}).encode()
        one.sandbox.on_request = lambda _: Reply(200, repeated)
        with pytest.raises(InvalidAnswer, match="requested page 2"):
            client.numbered_rows(ACTIONS, first.value, 2, as_read)


def test_no_secret_is_in_errors_or_logs(one: Account, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the AuthToken nor the AccountSID appears in what a failing request reports or logs, at any level."""
    caplog.set_level(logging.DEBUG, logger="impact_source")
    one.sandbox.on_request = lambda _: Reply(503, b"busy")
    with pytest.raises(Unavailable) as caught:
        ids(client)
    said = str(caught.value) + repr(caught.value) + caplog.text + repr(one.settings())
    assert one.sandbox.auth_token not in said
    assert one.sandbox.account_sid not in said


@pytest.mark.parametrize("variable", ["PYTHONHTTPSVERIFY=0", "CURL_CA_BUNDLE=", "REQUESTS_CA_BUNDLE=", "SSL_VERIFY=0"])
def test_a_server_that_is_not_who_it_says_gets_no_credentials(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrusted certificate ends the connection before anything is sent, whatever the environment."""
    name, _, value = variable.partition("=")
    monkeypatch.setenv(name, value)
    received: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parent / "untrusted.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with (
                        contextlib.suppress(ssl.SSLError),
                        context.wrap_socket(listener.accept()[0], server_side=True) as one,
                    ):
                        received.append(one.recv(1000))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        settings = Settings(
            "IR0",
            "secret",
            base_url=f"https://127.0.0.1:{listener.getsockname()[1]}",
            max_attempts=3,
            retry_wait=timedelta(0),
        )
        with Client(settings) as client, pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            list(client.campaigns())
    assert received == []


@pytest.mark.parametrize(
    "url",
    [
        "http://api.impact.com",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "api.impact.com",
        "https://u:p@h",
        "",
    ],
)
def test_a_base_url_that_could_leak_credentials_is_refused(url: str) -> None:
    """Only https, or plain http to this machine itself, and no credentials in the URL."""
    with pytest.raises(ConfigurationError, match="base_url") as caught:
        Settings("sid", "token", base_url=url)
    assert "u:p" not in str(caught.value)


def test_the_servers_clock_is_used_where_ours_is_off(one: Account) -> None:
    """The run's now is the server's, to the second, when the two differ."""
    with Client(one.settings(), clock=Clock(own_clock(one.world, timedelta(days=400)))) as client:
        ids(client)
        assert client.clock.now().replace(microsecond=0) == one.world.now


def test_every_request_says_what_it_wants(one: Account, client: Client) -> None:
    """The API answers in the JSON version we know because each request names it; the sandbox refuses others."""
    assert ids(client) == ["1000", "2000"]
    assert [request.status for request in one.sandbox.requests] == [200]
    assert isinstance(one.sandbox.requests[0], Request)


ECHOES = (
    lambda text: Reply(401, json.dumps({"Message": text}).encode()),
    lambda text: Reply(403, json.dumps({"Message": text}).encode()),
    lambda text: Reply(400, json.dumps({"Message": "no", "Errors": [{"Field": text, "Message": text}]}).encode()),
    lambda text: Reply(400, json.dumps({"Message": text}).encode()),
    lambda text: Reply(500, json.dumps({"Message": text}).encode()),
    lambda text: Reply(200, text.encode()),
    lambda text: Reply(200, text.encode(), {"Content-Encoding": text.replace("\n", "").replace("\x1b", "")}),
    lambda text: Reply(200, json.dumps({"@nextpageuri": f"http://[{text}", "Campaigns": []}).encode()),
    lambda text: Reply(302, headers={"Location": f"https://{quote(text)}.example/"}),
)


@pytest.mark.parametrize("echo", ECHOES)
def test_what_a_server_echoes_of_our_credentials_is_hidden(
    one: Account, echo: Callable[[str], Reply], caplog: pytest.LogCaptureFixture
) -> None:
    """No error, none of its fields and no line of the log has the token, the header, the AccountSID or an escape."""
    sid, token = one.sandbox.account_sid, one.sandbox.auth_token
    basic = b64encode(f"{sid}:{token}".encode()).decode()
    caplog.set_level(logging.DEBUG, "sources")
    for first in (token, basic, sid):
        one.sandbox.on_request = lambda _, text=first: echo(f"{text} \x1b[2J\n {sid} {token} {basic} {quote(token)}")
        with Client(one.settings(max_wait=timedelta(0))) as client, pytest.raises(ImpactError) as caught:
            ids(client)
        shown = f"{caught.value} {vars(caught.value)} {caplog.text}"
        for secret in (sid[:12], token[:8], basic[:12], "\x1b"):
            assert secret not in shown
        assert "\n" not in str(caught.value)


def test_a_mask_hides_what_was_cut() -> None:
    """A secret that is cut off in a text is hidden as far as it goes, and other words are left alone."""
    mask = Mask("IRabcdefghijklmnop", "token/with+signs", "IRab…")
    assert mask("it says b'token/with+si'") == "it says b'***'"
    assert mask("token%2Fwith%2Bsigns IRabcdefghijklmnop") == "*** IRab…"
    assert mask("a token\u202e\x07") == "a token\\u202e\\x07"

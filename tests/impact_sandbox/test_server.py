"""The server around the API: its budget, its record of requests, its hook and its control endpoints."""

import socket
import threading
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest
from impact_sandbox import Reply, Request, Rules, Sandbox, World, serve

from tests.impact_sandbox.conftest import Ask


def test_budget(ask: Ask) -> None:
    """Every answer reports the budget; once it is spent, every request gets a 429 until the window ends."""
    client = ask(requests_per_hour=2)
    headers = [client.get("/Campaigns").headers for _ in range(2)]
    assert [entry["X-RateLimit-Remaining"] for entry in headers] == ["1", "0"]
    refused = client.get("/Campaigns")
    assert (refused.status_code, refused.json()["Status"]) == (429, "ERROR")
    assert refused.headers["X-RateLimit-Limit"] == "2"
    assert 3590 <= int(refused.headers["X-RateLimit-Reset"]) <= 3600
    client.sandbox.budget.window_seconds = 0
    assert client.get("/Campaigns").status_code == 200
    client.sandbox.budget.window_seconds = 60
    client.sandbox.budget.spent = 2
    assert client.get("/Campaigns").status_code == 429
    client.sandbox.budget.limit = 3
    assert client.get("/Campaigns").status_code == 200


def test_refused_credentials_are_free(ask: Ask) -> None:
    """A wrong token spends nothing; a refused request with the right one does."""
    client = ask()
    httpx.get(client.sandbox.url + client.base + "/Campaigns")
    assert client.sandbox.budget.spent == 0
    client.get("/Actions")
    assert client.sandbox.budget.spent == 1


@pytest.mark.parametrize(
    ("variant", "names"),
    [
        ("standard", {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}),
        ("hour", {"x-ratelimit-limit-hour", "x-ratelimit-remaining-hour", "ratelimit-reset"}),
        ("retry_after", {"retry-after"}),
        ("none", set()),
    ],
)
def test_header_variants(ask: Ask, variant: str, names: set[str]) -> None:
    """Any of the known headers, or none, report the budget."""
    client = ask(rules=Rules(rate_limit_headers=variant), requests_per_hour=0)  # type: ignore[arg-type]
    assert {name for name in client.get("/Campaigns").headers if "rate" in name or "retry" in name} == names


def test_reset_as_epoch(ask: Ask) -> None:
    """The reset may be an epoch second, by the same clock as the Date header."""
    client = ask(rules=Rules(reset_as_epoch=True))
    reset = int(client.get("/Campaigns").headers["X-RateLimit-Reset"])
    assert 3590 <= reset - client.world.now.timestamp() <= 3600


def test_wrong_dates(ask: Ask) -> None:
    """Every n-th answer, the first included, may carry the Date of a wrong clock."""
    client = ask(rules=Rules(wrong_date_every=3, wrong_date_seconds=3600))
    dates = [parsedate_to_datetime(client.get("/Campaigns").headers["Date"]) for _ in range(4)]
    assert [(date - client.world.now).total_seconds() for date in dates] == [3600, 0, 0, 3600]


def test_requests_seen(ask: Ask) -> None:
    """The sandbox remembers each request and its answer."""
    client = ask()
    client.get("/Actions/a%2Fb", Page="1")
    assert client.sandbox.requests == [Request("GET", f"{client.base}/Actions/a%2Fb", {"Page": "1"}, 404)]
    client.sandbox.requests.clear()
    assert client.sandbox.requests == []


def test_hook(ask: Ask) -> None:
    """A hook may change the world before each answer, so that rows leave between two pages."""
    client = ask(World(days=8, per_day=600))
    ids = [row["Id"] for row in client.actions()]

    def remove_one(request: Request) -> None:
        if request.query.get("Page") == "2":
            client.world.remove(ids[0])

    client.sandbox.on_request = remove_one
    pages = [client.get("/Actions", CampaignId="1000", PageSize="2000", Page=page).json() for page in ("1", "2")]
    assert int(pages[0]["@total"]) == int(pages[1]["@total"]) + 1
    assert len({row["Id"] for page in pages for row in page["Actions"]}) == len(ids) - 1


def test_replies(ask: Ask) -> None:
    """A hook may answer in the API's place: an error, or a body that breaks off."""
    client = ask()
    client.sandbox.on_request = lambda _: Reply(503, b"busy", {"Retry-After": "1"})
    response = client.get("/Campaigns")
    assert (response.status_code, response.text, response.headers["Retry-After"]) == (503, "busy", "1")
    client.sandbox.on_request = lambda _: Reply(body=b'{"Campaigns":[]}', cut_after=5)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/Campaigns")
    client.sandbox.on_request = None
    assert client.rows("/Campaigns")
    assert [request.status for request in client.sandbox.requests] == [503, 200, 200]


def test_failing_hook(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that fails is logged and answered with a 500, and does not count as an answer of the API."""
    client = ask()
    client.sandbox.on_request = lambda request: Reply(int(request.query["none"]))
    assert client.get("/Campaigns").status_code == 500
    assert "The sandbox failed on GET" in caplog.text


def test_control(ask: Ask) -> None:
    """The clock, the truth and the requests are available over HTTP, outside of budget and record."""
    client = ask()
    client.get("/Campaigns")
    control = httpx.Client(base_url=client.sandbox.url + "/sandbox")
    assert control.get("/clock").json() == {"now": "2026-01-15T12:00:00.000Z"}
    assert control.post("/clock", json={"advance_days": 30}).json() == {"now": "2026-02-14T12:00:00.000Z"}
    assert control.post("/clock", json={"now": "2026-02-01T00:00:00Z"}).json() == {"now": "2026-02-01T00:00:00.000Z"}
    assert control.post("/clock", json={"later": 1}).status_code == 400
    assert len(control.get("/truth").text.splitlines()) == client.world.truth().num_rows
    assert [(seen["path"], seen["status"]) for seen in control.get("/requests").json()] == [
        (f"{client.base}/Campaigns", 200)
    ]
    assert client.sandbox.budget.spent == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example:80"}, 421),
        ({"Host": "10.0.0.1"}, 404),
        ({"Host": "localhost@evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:80"}, 200),
    ],
)
def test_other_sites_have_no_control(ask: Ask, headers: dict[str, str], status: int) -> None:
    """A page in a browser moves no clock: not under a name that leads here, not by a form, not from its origin."""
    client = ask()
    told = {"Content-Type": "application/json", **headers}
    answer = httpx.post(f"{client.sandbox.url}/sandbox/clock", headers=told, content=b'{"advance_days": 30}')
    assert answer.status_code == status
    assert (client.world.now.day == 14) == (status == 200)


@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("10.0.0.1:80", 200), ("localhost", 200)])
def test_the_api_is_asked_for_by_address(ask: Ask, host: str, status: int) -> None:
    """A name that was made to point here reaches no account."""
    client = ask()
    assert client.http.get(f"{client.base}/Campaigns", headers={"Host": host}).status_code == status
    assert len(client.sandbox.requests) == (status == 200)


def test_concurrent_requests(ask: Ask) -> None:
    """Requests from several threads are all answered, each from a consistent world."""
    client = ask(World(days=30, per_day=20), latency=0.01)
    ids = [row["Id"] for row in client.actions()][:24]
    told: dict[str, object] = {}

    def fetch(part: list[str]) -> None:
        for action_id in part:
            told[action_id] = client.items(action_id)
            client.world.advance(seconds=1)

    threads = [threading.Thread(target=fetch, args=(ids[place::4],)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(told) == set(ids)
    assert all(told.values())


def test_stop_and_start_again() -> None:
    """A sandbox that has stopped refuses connections and may be started again at the same address."""
    sandbox = Sandbox(World(days=1, per_day=1))
    with sandbox:
        url = sandbox.url
        assert httpx.get(url).status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with sandbox:
        assert sandbox.url == url
        assert httpx.get(url).status_code == 401


def test_serve() -> None:
    """In the foreground the clock runs in real time, and a taken port is an error."""
    world, ready = World(days=1, per_day=1), threading.Event()
    urls: list[str] = []

    def announce(url: str) -> None:
        urls.append(url)
        ready.set()

    threading.Thread(target=serve, args=(world,), kwargs={"port": 0, "on_ready": announce}, daemon=True).start()
    assert ready.wait(60)
    deadline = time.monotonic() + 60
    with httpx.Client(transport=httpx.HTTPTransport(retries=3)) as client:
        while client.get(f"{urls[0]}/sandbox/clock").json()["now"] == "2026-01-15T12:00:00.000Z":
            assert time.monotonic() < deadline
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            serve(world, port=taken.getsockname()[1])


def test_the_hour_turns_with_the_clock(ask: Ask) -> None:
    """The hourly limit resets as soon as the world's clock has moved on by an hour; the reset counts down with it."""
    client = ask(requests_per_hour=1)
    assert client.get("/Campaigns").status_code == 200
    client.world.advance(seconds=600)
    refused = client.get("/Campaigns")
    assert refused.status_code == 429
    assert 2990 <= int(refused.headers["X-RateLimit-Reset"]) <= 3000
    client.world.advance(hours=1)
    assert client.get("/Campaigns").status_code == 200
    assert client.get("/Campaigns").status_code == 429
    client.world.advance(days=-1)
    assert client.get("/Campaigns").status_code == 200

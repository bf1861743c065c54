"""Worlds to query, and a client that sends what the API expects."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from impact_sandbox import Rules, Sandbox, World
from impact_sandbox.submissions import OURS

TLS = ssl.create_default_context()
"""Never used for a plain socket, yet slow to create for each client."""

Row = dict[str, Any]
PUBLISHED = {"MALFORMED", "ACTION_REF_NOT_FOUND"}
"""The published error codes that the sandbox returns."""


class Client:
    """Sends requests to a sandbox over a real socket."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.world = sandbox, sandbox.world
        self.base = f"/Advertisers/{sandbox.account_sid}"
        self.http = httpx.Client(
            base_url=sandbox.url,
            auth=(sandbox.account_sid, sandbox.auth_token),
            headers={"Accept": "application/json", "IR-Version": "14"},
            verify=TLS,
        )

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """Request a path below the account's."""
        return self.http.get(self.base + path, params=parameters)

    def put(self, **form: str) -> httpx.Response:
        """Request an update."""
        return self.http.put(f"{self.base}/Actions", data=form)

    def delete(self, **form: str) -> httpx.Response:
        """Request a reversal."""
        return self.http.request("DELETE", f"{self.base}/Actions", data=form)

    def submission(self, queued: httpx.Response) -> Row:
        """Poll the submission of a queued write."""
        row: Row = self.http.get(queued.raise_for_status().json()["QueuedUri"]).raise_for_status().json()
        return row

    def complete(self, queued: httpx.Response) -> Row:
        """Poll the submission of a queued write until it is complete; mark an unpublished error code as ours."""
        while (row := self.submission(queued))["Status"] != "Complete":
            pass
        codes = {code for code in row["ErrorReason"].split() if not code.startswith(OURS)}
        assert codes - {self.world.rules.no_error} <= PUBLISHED
        return row

    def errors(self, queued: httpx.Response) -> str:
        """The codes with which a write ends; empty for success."""
        codes: str = self.complete(queued)["ErrorReason"]
        return codes

    def actions(self, **parameters: str) -> list[Row]:
        """Rows of the first page of the first campaign's actions."""
        return self.rows("/Actions", CampaignId="1000", **parameters)

    def locking(self, **parameters: str) -> list[Row]:
        """Actions that lock within 44 days from now."""
        return self.actions(**self.ahead(), **parameters)

    def ahead(self) -> dict[str, str]:
        """The parameters for actions that lock within 44 days from now."""
        now = self.world.now
        end = now.fromtimestamp(now.timestamp() + 44 * 86400, now.tzinfo)
        return {"LockingDateStart": f"{now:%Y-%m-%dT%H:%M:%SZ}", "LockingDateEnd": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    def rows(self, path: str, **parameters: str) -> list[Row]:
        """The list in an answer, whatever its key."""
        body = self.get(path, **parameters).raise_for_status().json()
        rows = next(value for key, value in body.items() if not key.startswith("@"))
        assert isinstance(rows, list)
        return rows

    def action(self, action_id: str) -> Row:
        """One action."""
        row: Row = self.get(f"/Actions/{action_id}").raise_for_status().json()
        return row

    def items(self, action_id: str) -> list[Row]:
        """The items of one action."""
        return self.rows(f"/Actions/{action_id}/Items")

    def updated(self, action_id: str) -> bool:
        """Whether the action counts as updated since the previous second."""
        now = self.world.now
        start = now.fromtimestamp(now.timestamp() - 1, now.tzinfo)
        bounds = {"StartDate": f"{start:%Y-%m-%dT%H:%M:%SZ}", "EndDate": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
        return action_id in {row["Id"] for row in self.actions(**bounds)}


Ask = Callable[..., Client]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Start a sandbox over a small world and return a client for it."""
    with ExitStack() as stack:

        def start(world: World | None = None, *, rules: Rules | None = None, **options: Any) -> Client:  # noqa: ANN401 - as in Sandbox
            world = world or World(days=60, per_day=10, rules=rules or Rules())
            return Client(stack.enter_context(Sandbox(world, **options)))

        yield start


@pytest.fixture(scope="module")
def desk() -> Iterator[Client]:
    """Return a client for a world in which each test creates its own actions."""
    with Sandbox(World(days=1, per_day=0), requests_per_hour=100_000) as sandbox:
        yield Client(sandbox)


@pytest.fixture(scope="package")
def standing() -> Iterator[Client]:
    """Return a client for a world that no test changes."""
    with Sandbox(World(days=90, per_day=30), requests_per_hour=100_000) as sandbox:
        yield Client(sandbox)

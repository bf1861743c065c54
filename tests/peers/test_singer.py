"""Singer's published tap syncs the sandbox; its rows equal the truth but for faults of its own.

The faults are asserted as exactly as the rest, so that this file says what they cost:

- It follows the day of the event. What changes later, an approval or a reversal, never arrives.
- All campaigns share one bookmark. The second campaign is read only from where the first one ended.
- It reads up to the last midnight, UTC. What happened since arrives with a later day's run.
- Fields that its schemas do not have are dropped.
- Partners are read only under the key `MediaPartners`, not under the documented `Partners`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from impact_sandbox import Rules, Sandbox, World

from tests.peers.tap import Row, Tap, dropped, read, typed

pytestmark = pytest.mark.skipif("PEERS" not in os.environ, reason="make peers installs the tap and sets PEERS")
DAYS = 100
DATES = {"actions": "EventDate", "action_inquiries": "CreationDate", "action_updates": "UpdateDate"}
DROPPED = {
    "actions": {"EventCode"},
    "action_updates": {
        *("CatalogCategory", "CatalogDescription", "CatalogManufacturer", "CatalogName"),
        *("CatalogOriginalFormatCategory", "CatalogSubCategory", "ContractId", "DefaultPayoutRate", "EventCode"),
        *("EventTypeId", "EventTypeName", "PayoutLevel"),
    },
    "campaigns": {"Uri"},
    "invoices": {"DetailedLineItems", "Uri"},
    "media_partners": {"Address", "DateLastUpdated", "Programs", "PromotionalCountries"},
}
Install = Callable[[World], Tap]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Put the tap before a world."""
    python = shutil.which("python", path=f"{os.environ['PEERS']}/bin")
    assert python, "make peers installs the tap"
    with ExitStack() as stack:

        def put(world: World) -> Tap:
            sandbox = stack.enter_context(Sandbox(world, requests_per_hour=100_000))
            start = world.now - timedelta(days=DAYS + 5)
            return Tap(python, sandbox, tmp_path, f"{start:%Y-%m-%dT00:00:00Z}")

        yield put


def make(now: datetime, wire: Literal["strings", "typed"] = "strings") -> World:
    """Create an account at an instant: the tap goes by the machine's clock."""
    return World(days=DAYS, per_day=10, now=now, rules=Rules(partners_key="MediaPartners", wire=wire))


def truth(tap: Tap) -> dict[str, list[Row]]:
    """Every record that the API shows, by the tap's streams and in the order of the API's lists."""
    world = tap.sandbox.world
    every = {
        "actions": world.truth().to_pylist(),
        "action_updates": [row for campaign in world.campaigns for row in changes(tap, campaign.id)],
        "action_inquiries": world.reference("ActionInquiries"),
        "campaigns": ask(tap, "Campaigns")["Campaigns"],
        "company_information": world.reference("CompanyInformation"),
        "invoices": world.reference("Invoices"),
        "media_partners": world.reference("MediaPartners"),
        "media_partner_groups": [
            {**row, "CampaignId": row["Uri"].split("/")[4]} for row in world.reference("MediaPartnerGroups")
        ],
        "api_submissions": ask(tap, "APISubmissions")["APISubmission"],
    }
    return {stream: [renamed(row) for row in rows] for stream, rows in every.items()}


def renamed(row: Any) -> Row:  # noqa: ANN401 - a record with lists and objects in it
    """The tap calls an Oid an order's id."""
    return {"OrderId" if name == "Oid" else name: value for name, value in row.items()}


def ask(tap: Tap, path: str, **parameters: str) -> Row:
    """Request a list as our source does."""
    sandbox = tap.sandbox
    url = f"{sandbox.url}/Advertisers/{sandbox.account_sid}/{path}"
    login = (sandbox.account_sid, sandbox.auth_token)
    headers = {"Accept": "application/json", "IR-Version": "14"}
    body: Row = httpx.get(url, params=parameters, auth=login, headers=headers).raise_for_status().json()
    return body


def changes(tap: Tap, campaign: str) -> Iterator[Row]:
    """The change feed of a campaign, in windows of 45 days."""
    now = tap.sandbox.world.now
    for back in range(0, DAYS + 10, 45):
        start, end = now - timedelta(days=back + 45), now - timedelta(days=back, seconds=1 if back else 0)
        bounds = {"StartDate": f"{start:%Y-%m-%dT%H:%M:%SZ}", "EndDate": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        yield from ask(tap, "ActionUpdates", CampaignId=campaign, PageSize="1000000", **bounds)["ActionUpdates"]


def walk(
    rows: list[Row], date: str, campaigns: list[str], since: datetime, end: datetime
) -> tuple[list[Row], datetime]:
    """What the tap reads of a stream with a bookmark, which each campaign leaves to the next, and the last bookmark."""
    found = []
    for campaign in campaigns:
        own = [row for row in rows if str(row["CampaignId"]) == campaign and since <= instant(row[date]) <= end]
        since = max([since, *(instant(row[date]) for row in own)])
        found += own
    return found, since


def instant(text: str) -> datetime:
    """The instant that a field holds."""
    return datetime.fromisoformat(text).astimezone(UTC)


def midnight(tap: Tap) -> datetime:
    """The last instant that the tap asked for: the start of its day."""
    return max(instant(seen.query["ActionDateEnd"]) for seen in tap.sandbox.requests if "ActionDateEnd" in seen.query)


def key_of(row: Row) -> object:
    """What identifies a row of any stream."""
    return row.get("id") or row.get("batch_id") or row["company_name"]


def by_key(rows: list[Row]) -> dict[object, Row]:
    """Rows as a target keeps them: the last one of each key."""
    return {key_of(row): row for row in rows}


@pytest.mark.parametrize("wire", ["strings", pytest.param("typed", marks=pytest.mark.long)])
def test_every_row_equals_the_truth_but_for_the_faults_of_the_tap(
    install: Install, wire: Literal["strings", "typed"]
) -> None:
    """A first sync reads every stream that the sandbox serves, column by column; the rest are empty."""
    world = make(datetime.now(UTC), wire)
    tap = install(world)
    for action in world.truth("1000").to_pylist()[:3]:
        login = (tap.sandbox.account_sid, tap.sandbox.auth_token)
        url = f"{tap.sandbox.url}/Advertisers/{tap.sandbox.account_sid}/Actions"
        form = {"ActionId": action["Id"], "DispositionCode": "ITEM_RETURNED"}
        httpx.request("DELETE", url, data=form, auth=login).raise_for_status()
    world.advance(seconds=30)
    schemas = tap.discover()
    output = tap.sync()
    everything = truth(tap)
    campaigns = [row["Id"] for row in everything["campaigns"]]
    assert set(output.records) == set(everything)
    assert {row.status for row in tap.sandbox.requests} == {200}
    for stream, rows in everything.items():
        schema = schemas[stream]
        assert {path for row in rows for path in dropped(row, schema)} == DROPPED.get(stream, set()), stream
        if stream in DATES:
            kept, _ = walk(rows, DATES[stream], campaigns, instant(tap.start), midnight(tap))
            assert 0 < len(kept) < len(rows)
        else:
            kept = rows
        expected = by_key([typed(row, schema) for row in kept])
        assert by_key([read(row, schema) for row in output.records[stream]]) == expected, stream


def test_changes_after_the_day_of_the_event_never_arrive(install: Install) -> None:
    """A month later a second sync brings new actions; what happened to the old ones stays unknown, row by row."""
    world = make(datetime.now(UTC) - timedelta(days=30))
    tap = install(world)
    schema = tap.discover()["actions"]
    since, kept = instant(tap.start), list[Row]()
    for days in (0, 30):
        world.advance(days=days)
        rows = truth(tap)["actions"]
        output = tap.sync()
        read_now, since = walk(rows, "EventDate", ["1000", "2000"], since, midnight(tap))
        assert by_key([read(row, schema) for row in output.records["actions"]]) == by_key(
            [typed(row, schema) for row in read_now]
        )
        kept += read_now
    assert instant(output.state["bookmarks"]["actions"]) == since
    held, true = ({row["Id"]: row for row in rows} for rows in (kept, truth(tap)["actions"]))
    stale = {id_ for id_, row in held.items() if row != true[id_]}
    missing = true.keys() - held.keys()
    assert {true[id_]["CampaignId"] for id_ in missing} >= {"2000"}
    assert len(stale) + len(missing) > len(true) / 3


def test_partners_under_the_documented_key_are_not_read(install: Install) -> None:
    """The tap knows the list of partners by another key than the documented one, and takes it for empty."""
    world = make(datetime.now(UTC))
    world.rules = Rules()
    tap = install(world)
    tap.discover()
    assert world.reference("MediaPartners")
    assert "media_partners" not in tap.sync().records

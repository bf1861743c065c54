"""Lists: the envelope, paging, filters, and each record the same wherever it appears."""

from decimal import Decimal
from urllib.parse import quote

import pytest
from impact_sandbox import Campaign, World

from tests.impact_sandbox.conftest import Ask, Client, Row

SAMPLE = [
    "Id",
    "CampaignId",
    "CampaignName",
    "ActionTrackerId",
    "ActionTrackerName",
    "EventCode",
    "MediaPartnerId",
    "MediaPartnerName",
    "State",
    "AdId",
    "ClientCost",
    "Payout",
    "DeltaPayout",
    "IntendedPayout",
    "Amount",
    "DeltaAmount",
    "IntendedAmount",
    "Currency",
    "ReferringDate",
    "EventDate",
    "CreationDate",
    "LockingDate",
    "ClearedDate",
    "ReferringType",
    "ReferringDomain",
    "IpAddress",
    "PromoCode",
    "Oid",
    "CustomerId",
    "CustomerPostCode",
    "CustomerStatus",
    "Note",
    "CallerId",
    "CustomerArea",
    "CustomerCity",
    "CustomerRegion",
    "CustomerCountry",
    "SharedId",
    "Uri",
]


def test_campaigns(standing: Client) -> None:
    """The list of campaigns is paged like any other."""
    first = standing.get("/Campaigns", PageSize="1").json()
    assert [row["Name"] for row in first["Campaigns"]] == ["Acme Campaign"]
    second = standing.http.get(first["@nextpageuri"]).json()
    assert [(row["Id"], row["State"]) for row in second["Campaigns"]] == [("2000", "ACTIVE")]
    assert second["@nextpageuri"] == ""
    assert second["@previouspageuri"] == first["@firstpageuri"]


def test_campaigns_by_name_state_and_id(ask: Ask) -> None:
    """Campaigns can be listed by name and by state, which must be a documented one; one is read by its id."""
    client = ask(World(days=1, per_day=1))
    client.world.close_campaign("2000")
    for parameters, ids in (
        ({"Name": "Acme Outlet"}, ["2000"]),
        ({"State": "ACTIVE"}, ["1000"]),
        ({"Name": "Acme Outlet", "State": "ACTIVE"}, []),
        ({"State": "SETUP"}, []),
    ):
        assert [row["Id"] for row in client.rows("/Campaigns", **parameters)] == ids
    assert client.get("/Campaigns/2000").json() == client.rows("/Campaigns")[1]
    for name, value in (("State", "active"), ("Id", "1000")):
        refused = client.get("/Campaigns", **{name: value})
        assert (refused.status_code, refused.json()["Errors"][0]["Field"]) == (400, name)


def test_pages(ask: Ask) -> None:
    """Following the next-page links gives every match once, newest created first, under one envelope of strings."""
    client = ask(World(days=8, per_day=1000))
    body = client.get("/Actions", CampaignId="1000", PageSize="2000").json()
    pages: list[list[Row]] = [body["Actions"]]
    assert all(isinstance(value, str) for key, value in body.items() if key.startswith("@"))
    assert (body["@page"], body["@pagesize"], body["@start"], body["@end"]) == ("1", "2000", "0", "1999")
    while body["@nextpageuri"]:
        assert body["@nextpageuri"].startswith(client.base)
        assert "CampaignId=1000" in body["@nextpageuri"]
        body = client.http.get(body["@nextpageuri"]).json()
        pages.append(body["Actions"])
    rows = [row for page in pages for row in page]
    created = [row["CreationDate"] for row in rows]
    assert len(pages) == int(body["@numpages"]) > 2
    assert len({row["Id"] for row in rows}) == len(rows) == int(body["@total"])
    assert created == sorted(created, reverse=True)


def test_page_beyond_last(standing: Client) -> None:
    """A page beyond the last is an empty list that still reports the total."""
    body = standing.get("/Actions", CampaignId="1000", Page="9").json()
    assert body["Actions"] == []
    assert int(body["@total"]) > 0


def test_record(standing: Client) -> None:
    """A record has the sample payload's fields in their order, all strings, and is the same alone and in the truth."""
    rows = standing.actions()
    truth = {row["Id"]: row for row in standing.world.truth("1000").to_pylist()}
    assert standing.world.truth().column_names == SAMPLE
    for row in rows:
        assert list(row) == SAMPLE
        assert row == truth[row["Id"]]
    assert standing.action(rows[0]["Id"]) == rows[0]
    assert standing.http.get(rows[0]["Uri"]).json() == rows[0]


def test_default_is_seven_days(standing: Client) -> None:
    """Without any dates, only what was updated in the past 7 days is listed."""
    week = {"StartDate": "2026-01-08T12:00:00Z", "EndDate": "2026-01-15T12:00:00Z"}
    assert standing.actions() == standing.actions(**week)
    assert 0 < len(standing.actions()) < standing.world.truth("1000").num_rows / 2


def test_bounds_are_inclusive(standing: Client) -> None:
    """Both bounds of a range are part of it."""
    row = standing.actions()[0]
    instant = row["EventDate"]
    assert row in standing.actions(ActionDateStart=instant, ActionDateEnd=instant)


def test_filters_combine(standing: Client) -> None:
    """Filters combine with AND."""
    ranges = {
        "ActionDateStart": "2025-12-15T00:00:00Z",
        "ActionDateEnd": "2026-01-10T00:00:00Z",
        "LockingDateStart": "2026-01-10T00:00:00Z",
        "LockingDateEnd": "2026-02-05T00:00:00Z",
    }
    both = {row["Id"] for row in standing.actions(**ranges)}
    by_event, by_lock = (
        {row["Id"] for row in standing.actions(**{name: ranges[name] for name in names})}
        for names in (list(ranges)[:2], list(ranges)[2:])
    )
    assert both == by_event & by_lock
    assert both < by_event
    assert both < by_lock
    states = ("PENDING", "APPROVED", "REVERSED")
    parts = [{row["Id"] for row in standing.actions(**ranges, State=state)} for state in states]
    assert all(parts)
    assert set.union(*parts) == both
    assert sum(map(len, parts)) == len(both)


def test_items(standing: Client) -> None:
    """An action has 1 to 4 items with distinct Skus, which add up to its amount and its payout."""
    counts = set()
    for action in standing.actions()[:40]:
        items = standing.items(action["Id"])
        counts.add(len(items))
        assert len({item["Sku"] for item in items}) == len(items)
        assert sum(Decimal(item["SaleAmount"]) for item in items) == Decimal(action["Amount"])
        assert sum(Decimal(item["Payout"]) for item in items) == Decimal(action["Payout"])
    assert counts <= {1, 2, 3, 4}
    assert len(counts) > 1


@pytest.mark.parametrize("sku", ["A/B 1", "50%OFF", "MUG&1", "BAG+S", "LAMP?v2", "SHOE#42", "TEE-Ü-M"])
def test_item_by_sku(standing: Client, sku: str) -> None:
    """An item is found by its Sku, however much of it must be encoded."""
    row = next(row for row in standing.world.item_truth().to_pylist() if row["Sku"] == sku)
    item = standing.get(f"/Actions/{row['ActionId']}/Items/{quote(sku, safe='')}").json()
    assert {"ActionId": row["ActionId"], **item} == row
    assert standing.http.get(item["Uri"]).json() == item


def test_item_truth_is_what_is_served(standing: Client) -> None:
    """The truth about items is what the API lists."""
    action_id = standing.actions()[0]["Id"]
    told = [{"ActionId": action_id, **item} for item in standing.items(action_id)]
    assert standing.world.item_truth(action_id).to_pylist() == told


def test_data_is_awkward(standing: Client) -> None:
    """The data contains what breaks naive loaders: non-ASCII, quotes, leading zeros, empty and odd values."""
    rows = standing.world.truth().to_pylist()

    def has(name: str, part: str) -> bool:
        return any(part in row[name] for row in rows)

    assert has("MediaPartnerName", "Café Ünïcode")
    assert has("MediaPartnerName", '"The"')
    assert has("CustomerArea", "n/a")
    assert {"", "IN_APP_PURCHASE"} == {row["EventCode"] for row in rows}
    assert any(row["CustomerPostCode"].startswith("0") for row in rows)
    assert all(len(row["ClientCost"].partition(".")[2]) == 4 for row in rows)
    assert {row["EventDate"][-6:] for row in rows} == {"-07:00", "-08:00"}


def test_empty_campaign(ask: Ask) -> None:
    """A campaign without a share of the conversions is an empty list."""
    campaigns = (Campaign(id="1000", name="Acme"), Campaign(id="9", name='None "yet"', state="CLOSED", share=0))
    client = ask(World(days=9, per_day=10, campaigns=campaigns))
    body = client.get("/Actions", CampaignId="9").json()
    assert (body["@total"], body["Actions"]) == ("0", [])
    assert [row["State"] for row in client.rows("/Campaigns")] == ["ACTIVE", "CLOSED"]


def test_date_header_is_the_clock(ask: Ask) -> None:
    """The Date header carries the world's clock."""
    client = ask()
    client.world.advance(days=1, seconds=5)
    assert client.get("/Campaigns").headers["Date"] == "Fri, 16 Jan 2026 12:00:05 GMT"

"""What the API does not allow, it refuses by name."""

import httpx
import pytest
from impact_sandbox import Rules, World

from tests.impact_sandbox.conftest import Ask, Client

DAY = {"StartDate": "2026-01-01T00:00:00Z", "EndDate": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "CampaignId"),
        ({"CampaignId": "77"}, "CampaignId"),
        ({"CampaignId": "1000", "State": "LOCKED"}, "State"),
        ({"CampaignId": "1000", "StartDate": DAY["StartDate"]}, "EndDate"),
        ({"CampaignId": "1000", "EndDate": DAY["EndDate"]}, "StartDate"),
        ({"CampaignId": "1000", "ActionDateStart": DAY["StartDate"]}, "ActionDateEnd"),
        ({"CampaignId": "1000", "LockingDateEnd": DAY["EndDate"]}, "LockingDateStart"),
        ({"CampaignId": "1000", **DAY, "StartDate": "2026-01-01"}, "StartDate"),
        ({"CampaignId": "1000", **DAY, "EndDate": "tomorrowT"}, "EndDate"),
        ({"CampaignId": "1000", **DAY, "EndDate": "2026-02-15T00:00:01Z"}, "EndDate"),
        ({"CampaignId": "1000", **DAY, "EndDate": "2025-12-31T00:00:00Z"}, "EndDate"),
        (
            {"CampaignId": "1000", "ActionDateStart": "2025-01-01T00:00:00Z", "ActionDateEnd": "2025-03-01T00:00:00Z"},
            "ActionDateEnd",
        ),
        (
            {"CampaignId": "1000", "StartDate": "2023-01-15T12:00:00Z", "EndDate": "2023-01-20T00:00:00Z"},
            "StartDate",
        ),
        ({"CampaignId": "1000", "PageSize": "1999"}, "PageSize"),
        ({"CampaignId": "1000", "PageSize": "many"}, "PageSize"),
        ({"CampaignId": "1000", "Page": "0"}, "Page"),
        ({"CampaignId": "1000", "Limit": "5"}, "Limit"),
    ],
)
def test_field_is_named(standing: Client, parameters: dict[str, str], field: str) -> None:
    """A request that breaks a documented rule is refused with the field at fault."""
    response = standing.get("/Actions", **parameters)
    body = response.json()
    assert response.status_code == 400
    assert body["Status"] == "ERROR"
    assert body["Message"]
    assert [error["Field"] for error in body["Errors"]] == [field]


def test_longest_range(standing: Client) -> None:
    """A range of exactly 45 days that begins exactly 1,095 days ago is allowed."""
    bounds = {"StartDate": "2023-01-16T12:00:00Z", "EndDate": "2023-03-02T12:00:00Z"}
    assert standing.get("/Actions", CampaignId="1000", **bounds).status_code == 200


def test_plus_unescaped(standing: Client) -> None:
    """An offset whose plus sign was not encoded is not a date."""
    query = "CampaignId=1000&StartDate=2026-01-01T00:00:00+00:00&EndDate=2026-01-02T00:00:00Z"
    response = standing.http.get(f"{standing.base}/Actions?{query}")
    assert [error["Field"] for error in response.json()["Errors"]] == ["StartDate"]


def test_parameter_twice(standing: Client) -> None:
    """A parameter that is sent twice is refused, for example when parameters are added to a next-page link again."""
    response = standing.http.get(f"{standing.base}/Actions?CampaignId=1000&CampaignId=1000")
    assert response.status_code == 400
    assert response.json()["Errors"][0]["Field"] == "CampaignId"


def test_too_many_matches(ask: Ask) -> None:
    """More than ten pages of matches are refused without a field, in words that name the total if the rules say so."""
    client = ask(World(days=8, per_day=4000))
    refused = client.get("/Actions", CampaignId="1000", PageSize="2000")
    assert refused.status_code == 400
    assert "Errors" not in refused.json()
    client.world.rules = Rules(refusal_names_total=True)
    total = client.get("/Actions", CampaignId="1000", PageSize="3000").json()["@total"]
    assert total in client.get("/Actions", CampaignId="1000", PageSize="2000").json()["Message"]


def test_credentials(standing: Client) -> None:
    """A wrong token or none is a 401, another account's path a 403."""
    url = standing.sandbox.url + standing.base + "/Campaigns"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=(standing.sandbox.account_sid, "wrong")).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Basic ???"}).status_code == 401
    assert standing.http.get("/Advertisers/IRother/Campaigns").status_code == 403


def test_scopes(ask: Ask) -> None:
    """A token whose scope lacks an endpoint gets a 403 there and only there."""
    client = ask(scopes={"Actions"})
    action_id = client.actions()[0]["Id"]
    assert client.get(f"/Actions/{action_id}").status_code == 200
    assert client.get(f"/Actions/{action_id}/Items").status_code == 403
    assert client.get("/Campaigns").status_code == 403


def test_unknown_path(standing: Client) -> None:
    """A path, an action or an item that does not exist is a 404 in JSON."""
    action_id = standing.actions()[0]["Id"]
    for path in ("/Nothing", "/Actions/1000.4636.1", "/Actions/x/Items", f"/Actions/{action_id}/Items/none"):
        response = standing.get(path)
        assert (response.status_code, response.json()["Status"]) == (404, "ERROR")
    assert standing.http.get("/").status_code == 404


def test_method(standing: Client) -> None:
    """Only the list of actions accepts writes, and only by PUT and DELETE."""
    for method, path in (("PUT", "/Campaigns"), ("DELETE", "/Actions/1000.4636.1"), ("POST", "/Actions")):
        assert standing.http.request(method, standing.base + path, data={"ActionId": "x"}).status_code == 405


def test_version_header(standing: Client) -> None:
    """A request may name the version in a header or a parameter, or leave it to the account; another one is refused."""
    path = f"{standing.base}/Campaigns"
    usual = standing.http.get(path)
    unnamed = {"IR-Version": ""}
    assert standing.http.get(path, headers=unnamed).content == usual.content
    page = standing.http.get(path, params={"IrVersion": "14", "PageSize": "1"}, headers=unnamed).json()
    assert page["Campaigns"] == usual.json()["Campaigns"][:1]
    assert "IrVersion=14" in page["@nextpageuri"]
    for headers, parameters in (({"IR-Version": "13"}, {}), (unnamed, {"IrVersion": "13"}), ({}, {"IrVersion": "13"})):
        response = standing.http.get(path, headers=headers, params=parameters)
        assert response.status_code == 400
        assert response.json()["Errors"][0]["Field"] == "IR-Version"
    named = [request.version for request in standing.sandbox.requests[-5:]]
    assert named == ["", "14", "13", "13", "14"]


def test_xml(standing: Client) -> None:
    """A client that does not accept JSON gets XML, unless the path ends in .json."""
    accept = {"Accept": "*/*"}
    response = standing.http.get(f"{standing.base}/Campaigns", headers=accept)
    assert response.headers["Content-Type"] == "application/xml"
    assert "<Campaigns><Campaign><Id>1000</Id>" in response.text
    assert standing.http.get(f"{standing.base}/Campaigns.json", headers=accept).json()["@total"] == "2"


@pytest.mark.parametrize("name", ["ActionDate", "LockingDate"])
def test_three_years_on_all(ask: Ask, name: str) -> None:
    """Whether every range is limited to three years, or only StartDate, is a rule."""
    old = {f"{name}Start": "2022-01-01T00:00:00Z", f"{name}End": "2022-01-02T00:00:00Z"}
    client = ask(World(days=1, per_day=1))
    assert client.get("/Actions", CampaignId="1000", **old).status_code == 200
    client.world.rules = Rules(three_years_on_all=True)
    assert client.get("/Actions", CampaignId="1000", **old).json()["Errors"][0]["Field"] == f"{name}Start"


def test_max_page_size(ask: Ask) -> None:
    """Whether PageSize may exceed 20,000 is a rule."""
    client = ask(World(days=1, per_day=1))
    assert client.get("/Actions", CampaignId="1000", PageSize="50000").status_code == 200
    client.world.rules = Rules(max_page_size=20_000)
    assert client.get("/Actions", CampaignId="1000", PageSize="20000").status_code == 200
    assert client.get("/Actions", CampaignId="1000", PageSize="20001").json()["Errors"][0]["Field"] == "PageSize"

"""What surrounds the actions follows from them: partners, contracts, inquiries, and invoices to the cent."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from impact_sandbox import Rules, World
from impact_sandbox.server import SCOPES
from impact_sandbox.times import ZONE

from tests.impact_sandbox.conftest import Ask, Client, Row

Sums = dict[tuple[str, ...], Decimal]
LISTS = {
    "/MediaPartners": "Partners",
    "/Campaigns/1000/MediaPartnerGroups": "Groups",
    "/Campaigns/1000/Contracts": "Contracts",
    "/ActionInquiries": "ActionInquiries",
    "/Invoices": "Invoices",
}


def listed(client: Client, path: str, **parameters: str) -> list[Row]:
    """All records of a list, page by page."""
    needed = {"CampaignId": "1000"} if path == "/ActionInquiries" else {}
    body = client.get(path, **(needed | parameters)).raise_for_status().json()
    rows: list[Row] = body[LISTS[path]]
    while body["@nextpageuri"]:
        body = client.http.get(body["@nextpageuri"]).json()
        rows += body[LISTS[path]]
    assert int(body["@total"]) == len(rows)
    return rows


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_the_usual_envelope_and_its_records_have_a_path(standing: Client, path: str) -> None:
    """Pages hold every record once; each is the same alone, at its Uri."""
    rows = listed(standing, path, PageSize="7")
    assert rows
    assert len({row["Id"] for row in rows}) == len(rows)
    assert standing.http.get(rows[-1]["Uri"]).json() == rows[-1]
    assert standing.get(f"{path}/none").status_code == 404
    assert standing.get(path, Nothing="1").status_code == 400


def test_partners_are_those_of_the_actions(standing: Client) -> None:
    """Each partner of an action is listed with its campaigns; there it has a contract and is in a group."""
    joined = defaultdict(set)
    for action in standing.world.truth().to_pylist():
        joined[action["MediaPartnerId"], action["MediaPartnerName"]].add(action["CampaignId"])
    rows = listed(standing, "/MediaPartners")
    assert {(row["Id"], row["Name"]): {one["Id"] for one in row["Programs"]} for row in rows} == joined
    here = {partner for (partner, _), campaigns in joined.items() if "1000" in campaigns}
    groups = listed(standing, "/Campaigns/1000/MediaPartnerGroups")
    assert sorted(one["PartnerId"] for group in groups for one in group["MediaPartners"]) == sorted(here)
    contracts = [
        row for status in ("ACTIVE", "EXPIRED") for row in listed(standing, "/Campaigns/1000/Contracts", Status=status)
    ]
    assert {row["PartnerId"] for row in contracts} == here
    assert {row["Status"] for row in contracts} == {"ACTIVE", "EXPIRED"}
    recent = standing.rows("/ActionUpdates", CampaignId="1000")
    assert {row["ContractId"] for row in recent} <= {row["Id"] for row in contracts}
    active = listed(standing, "/Campaigns/1000/Contracts")
    assert {row["Status"] for row in active} == {"ACTIVE"}, "the documented default"


def test_an_invoice_pays_what_cleared_in_its_month(standing: Client) -> None:
    """By partner, campaign and month of the event, its lines add up to the payouts; anything else is a bonus."""
    assert_paid(standing, ZONE)


def test_the_months_of_an_invoice_are_the_account_s(ask: Ask) -> None:
    """In another time zone other actions are in a month, and its invoice is of their money."""
    world = World(days=90, per_day=30, rules=Rules(time_zone="(GMT +12:00) Auckland, Wellington"))
    auckland = ZoneInfo("Pacific/Auckland")
    events = [datetime.fromisoformat(action["EventDate"]) for action in world.truth().to_pylist()]
    assert any(event.month != event.astimezone(auckland).month for event in events)
    assert_paid(ask(world), auckland)


def test_a_partner_may_get_several_invoices_for_a_month(ask: Ask) -> None:
    """Together they pay what cleared in it, each action once."""
    client = ask(World(days=90, per_day=30, rules=Rules(invoices_a_month=2)))
    days = {datetime.fromisoformat(one["CreatedDate"]).astimezone(ZONE).day for one in listed(client, "/Invoices")}
    assert days == {1, 2}
    assert_paid(client, ZONE)


def assert_paid(standing: Client, zone: ZoneInfo) -> None:
    """The lines of every invoice are what cleared in its month, by months of a time zone."""
    owed: Sums = defaultdict(Decimal)
    for action in standing.world.truth().to_pylist():
        if action["ClearedDate"]:
            dates = (datetime.fromisoformat(action[name]) for name in ("ClearedDate", "EventDate"))
            cleared, event = (moment.astimezone(zone) for moment in dates)
            if (cleared.year, cleared.month) < (standing.world.now.year, standing.world.now.month):
                month = f"{event.month}{event.year}"
                key = f"{cleared:%Y-%m}", action["MediaPartnerId"], action["CampaignId"], month
                owed[key] += Decimal(action["Payout"])
    paid: Sums = defaultdict(Decimal)
    for invoice in listed(standing, "/Invoices"):
        created = datetime.fromisoformat(invoice["CreatedDate"])
        month = f"{created - timedelta(days=2):%Y-%m}"
        amounts: Sums = defaultdict(Decimal)
        for line in invoice["LineItems"]:
            if line["Description"] == "MEDIA_PAYOUT":
                amounts[month, invoice["MediaId"], line["CampaignId"], line["EventMonthYear"]] += Decimal(
                    line["NetItemAmount"]
                )
        for part, sum_ in amounts.items():
            paid[part] += sum_
        details = {
            (month, one["AccountId"], one["ProgramId"], one["EventMonthYear"]): Decimal(one["ActionAmount"])
            for one in invoice["DetailedLineItems"]
        }
        assert details == amounts
        others = [Decimal(one["OtherAmount"]) for one in invoice["DetailedLineItems"] if one["OtherAmount"]]
        bonus = [Decimal(one["NetItemAmount"]) for one in invoice["LineItems"] if one["Description"] == "BONUS"]
        assert others == bonus
        total = sum((Decimal(one["TotalItemAmount"]) for one in invoice["LineItems"]), Decimal(0))
        assert Decimal(invoice["TotalAmount"]) == total
    assert paid == owed
    assert owed


def test_payment_follows(ask: Ask) -> None:
    """A line is pending until it is due, then paid, or overdue for a while first."""
    client = ask(World(days=90, per_day=10))
    seen = set()
    for _ in range(5):
        seen |= {
            (line["Status"], bool(line["PaidDate"]))
            for invoice in listed(client, "/Invoices")
            for line in invoice["LineItems"]
        }
        client.world.advance(days=12)
    assert seen == {("PENDING", False), ("OVERDUE", False), ("PAID", True)}


@pytest.mark.parametrize(("path", "name"), [("/Invoices", "CreatedDate"), ("/ActionInquiries", "CreationDate")])
def test_dates_bound_lists_at_both_ends(standing: Client, path: str, name: str) -> None:
    """Both ends are inclusive; a time that is none is refused."""
    rows = listed(standing, path)
    instants = sorted(datetime.fromisoformat(row[name]) for row in rows)
    middle = instants[len(instants) // 2].isoformat()
    from_, to = listed(standing, path, StartDate=middle), listed(standing, path, EndDate=middle)
    assert len(from_) + len(to) == len(rows) + sum(instant.isoformat() == middle for instant in instants)
    refused = standing.get(path, CampaignId="1000", StartDate="2026-01-01") if "Inq" in path else None
    assert (refused or standing.get(path, StartDate="2026-01-01")).status_code == 400


def test_inquiries_belong_to_a_campaign(standing: Client) -> None:
    """The campaign is required; an inquiry is about an action of it."""
    assert standing.get("/ActionInquiries").json()["Errors"][0]["Field"] == "CampaignId"
    for row in listed(standing, "/ActionInquiries"):
        action = standing.action(row["ActionId"])
        assert (row["CampaignId"], row["MediaPartnerId"]) == (action["CampaignId"], action["MediaPartnerId"])
        assert bool(row["ResolutionDate"]) == (row["ResolutionStatus"] != "UNRESOLVED")


def test_the_company(standing: Client) -> None:
    """One object, with the zone by the vendor's own name for it."""
    company = standing.get("/CompanyInformation").json()
    assert company["Timezone"] == "(GMT -08:00) Pacific Time (US & Canada); Tijuana"
    assert str(ZONE) == "America/Los_Angeles"


def test_values_in_the_typed_format(ask: Ask) -> None:
    """Numbers, nulls and UTC timestamps, in lines too."""
    client = ask(World(days=90, per_day=10, rules=Rules(wire="typed")))
    invoice = listed(client, "/Invoices")[0]
    assert isinstance(invoice["TotalAmount"], float)
    assert invoice["CreatedDate"] == "2026-01-01T19:43:30.000Z"
    line = invoice["LineItems"][0]
    assert (line["PaidDate"], type(line["Actions"])) == (None, int)


def test_what_a_token_may_not_read(ask: Ask) -> None:
    """Each endpoint has its scope, and a rule withholds it with a 403 or a 404."""
    client = ask(scopes=set(SCOPES) - {"Contracts"}, rules=Rules(withheld=(("Invoices", 404),)))
    assert client.get("/Campaigns/1000/Contracts").status_code == 403
    assert client.get("/Invoices").status_code == 404
    assert client.get("/Campaigns/1000/MediaPartnerGroups").status_code == 200
    assert client.get("/Campaigns/9/MediaPartnerGroups").status_code == 404


def test_readings(ask: Ask) -> None:
    """The key of the list of partners, and whether ranges are limited, are rules."""
    client = ask(rules=Rules(partners_key="MediaPartners", reference_days=45))
    assert client.get("/MediaPartners").json()["MediaPartners"]
    dates = {"StartDate": "2025-11-01T00:00:00Z", "EndDate": "2026-01-01T00:00:00Z"}
    assert client.get("/Invoices", **dates).json()["Errors"][0]["Field"] == "EndDate"


@pytest.mark.parametrize(
    "path",
    [
        *("Ads", "Catalogs", "Deals", "ExceptionLists", "FTPFileSubmissions", "PhoneNumbers", "PromoCodes", "Reports"),
        *("TrackingValueRequests", "UniqueUrls", "Campaigns/1000/Contacts", "Campaigns/1000/Notes"),
        "Campaigns/1000/Models/7/ConversionPaths",
    ],
)
def test_lists_that_are_not_played_are_empty(standing: Client, path: str) -> None:
    """A client of the whole API, which may name no version, gets an empty page under the right key."""
    parameters = {"PageSize": "20000", "StartDate": "2026-01-01T00:00:00Z"}
    body = standing.http.get(f"{standing.base}/{path}.json", params=parameters, headers={"IR-Version": ""}).json()
    assert body.pop(path.rpartition("/")[2]) == []
    assert (body["@total"], body["@nextpageuri"]) == ("0", "")
    assert all(name.startswith("@") for name in body)


def test_the_company_takes_parameters_of_pages(standing: Client) -> None:
    """The company is one object, whatever page a client asks for; other parameters are refused."""
    company = standing.get("/CompanyInformation").json()
    assert standing.get("/CompanyInformation.json", PageSize="20000").json() == company
    assert standing.get("/CompanyInformation", State="ACTIVE").status_code == 400

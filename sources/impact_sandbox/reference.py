"""What surrounds the actions: the company, partners and their groups, contracts, inquiries, invoices.

All of it follows from the actions that the API shows at an instant, and from draws by the seed. Records are those of
the string wire format, with lists and objects in them.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from .ledger import Ledger, shown_at
from .records import cents
from .times import ZONE_NAME, ZONES, to_utc, wire_time
from .update_json import CONTRACT

Nested = Mapping[str, Any]
"""A record whose values are strings, lists and records."""
BONUS, VAT = Decimal(25), Decimal("0.2")
DUE_AFTER, LATE = timedelta(days=15), timedelta(days=20)
GROUPS = ("Content", "Deals & Coupons")
_PARTNER = "coalesce(v.record->>'$.MediaPartnerId', a.partner_id)"
_NAME = "coalesce(v.record->>'$.MediaPartnerName', a.partner_name)"
_FROM = "FROM versions v JOIN actions a ON a.n = v.n JOIN campaigns c ON c.serial = v.serial"
_JOINED = f"""
SELECT {_PARTNER} AS partner, min({_NAME}), c.id, any_value(c.name), any_value(c.serial), min(v.created) AS joined
{_FROM} WHERE {{shown}} GROUP BY partner, c.id ORDER BY joined DESC, partner, c.id
"""
_CLEARED = f"""
SELECT {_PARTNER} AS partner, min({_NAME}),
    date_trunc('month', timezone('{{zone}}', timezone('UTC', v.cleared))) AS paid, a.n % {{parts}} AS part, c.id,
    any_value(c.name),
    strftime(timezone('{{zone}}', timezone('UTC', v.event)), '%-m%Y') AS happened, count(*),
    sum(coalesce(TRY_CAST(v.record->>'$.Payout' AS DECIMAL(18, 2)), v.payout, 0))
{_FROM} WHERE {{shown}} AND v.cleared IS NOT NULL GROUP BY partner, paid, part, c.id, happened ORDER BY ALL
"""
_DISPUTED = f"""
SELECT hash(s.seed, a.n, 'inquiry'), a.id, c.id, c.name, a.partner_id, a.partner_name, a.oid, a.event, a.created,
    a.intended_amount, a.intended_payout
{_FROM}, settings s WHERE {{shown}} AND a.intended_amount IS NOT NULL AND hash(s.seed, a.n, 'inquiry') % 20 = 0
ORDER BY a.created DESC, a.id
"""


@dataclass(frozen=True)
class Surroundings:
    """The records that surround the actions of a ledger at an instant, in the order of the API's lists."""

    ledger: Ledger
    account_sid: str
    seed: int
    now: datetime
    time_zone: str
    invoices_a_month: int = 1

    def records(self, resource: str) -> list[Nested]:
        """Return all records of a resource, whatever a request would filter; those of all campaigns."""
        makers: dict[str, Callable[[], Iterator[Nested]]] = {
            "CompanyInformation": self._company,
            "MediaPartners": self._partners,
            "MediaPartnerGroups": self._groups,
            "Contracts": self._contracts,
            "ActionInquiries": self._inquiries,
            "Invoices": self._invoices,
        }
        return list(makers[resource]())

    def _company(self) -> Iterator[Nested]:
        address = {"AddressLine1": "1640 Riverside Dr.", "City": "Hill Valley", "State": "CALIFORNIA"}
        yield {
            "CompanyName": "Acme Corporation",
            "Industry": {"IndustryId": "833", "IndustryName": "Miscellaneous Retail Stores"},
            "Website": "https://www.example.com",
            "PrimaryPhoneNumber": "0005550100",
            "MinimumContactRating": "1",
            "Timezone": self.time_zone,
            "Currency": "USD",
            "RegisteredForIndirectTax": "true",
            "IndirectTaxNumber": "",
            "OrganizationType": "CORP",
            "CorporateAddress": {**address, "PostalCode": "00210", "Country": "US"},
            "FinancialContact": {"UserId": "1234567", "Name": "Road Runner", "Email": "finance@example.com"},
            "Uri": self._uri("CompanyInformation"),
        }

    def _partners(self) -> Iterator[Nested]:
        programs: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for row in self._rows(_JOINED):
            programs[row[0]].append(row)
        for partner, rows in programs.items():
            yield {
                "Id": partner,
                "Name": rows[0][1],
                "Description": "",
                "Website": f"https://{partner}.example",
                "State": "ACTIVE",
                "Address": {"Country": "US", "City": "Santa Barbara", "PostalCode": "00931"},
                "Currency": "USD",
                "Timezone": ZONE_NAME,
                "PartnerType": "DIRECT" if self._drawn(6, partner, "type") == 0 else "MARKETPLACE",
                "PromotionalCountries": ["US", "CA"],
                "Programs": [
                    {"Id": campaign, "Name": name, "ContractId": f"{CONTRACT}{partner}", "JoinDate": _wire(joined)}
                    for _, _, campaign, name, _, joined in rows
                ],
                "DateCreated": _wire(min(row[-1] for row in rows)),
                "DateLastUpdated": _wire(max(row[-1] for row in rows)),
                "Uri": self._uri("MediaPartners", partner),
            }

    def _groups(self) -> Iterator[Nested]:
        members: dict[tuple[Any, ...], list[Nested]] = defaultdict(list)
        for partner, name, campaign, _, serial, _ in self._rows(_JOINED):
            for place, group in enumerate((*GROUPS, "Nobody yet")):
                here = members[campaign, f"{90_000 + 10 * serial + place}", group]
                if place == self._drawn(2, partner, "group"):
                    uri = self._uri("MediaPartners", partner)
                    here.append({"PartnerId": partner, "PartnerName": name, "PartnerUri": uri})
        for (campaign, id_, group), partners in members.items():
            uri = self._uri("Campaigns", campaign, "MediaPartnerGroups", id_)
            yield {"Id": id_, "Name": group, "MediaPartners": partners, "Uri": uri}

    def _contracts(self) -> Iterator[Nested]:
        for partner, _, campaign, _, _, joined in self._rows(_JOINED):
            signed = to_utc(joined) - timedelta(days=1)
            end = signed + timedelta(days=80) if self._drawn(4, partner, campaign, "ends") == 0 else None
            expired = end is not None and end <= self.now
            uri = self._uri("Campaigns", campaign, "Contracts", f"{CONTRACT}{partner}")
            payout = {"EventTypeId": "2240", "EventTypeName": "Sale", "DefaultPayoutRate": "4", "PayoutLevel": "ITEM"}
            yield {
                "Id": f"{CONTRACT}{partner}",
                "PartnerId": partner,
                "PartnerValue1": "",
                "Status": "EXPIRED" if expired else "ACTIVE",
                "StartDate": wire_time(signed),
                "EndDate": wire_time(end) if end else "",
                "BrandSignatory": "Justin Case",
                "BrandSignatoryDate": wire_time(signed),
                "PartnerSignatory": "Partner Person",
                "PartnerSignatoryDate": wire_time(signed),
                "DateCreated": wire_time(signed),
                "DateLastUpdated": wire_time(end if expired and end else signed),
                "TemplateTerms": {"TemplateId": "99999", "Name": "ACME Public Terms", "EventPayouts": [payout]},
                "ScheduledTerms": [],
                "HasCampaignTerms": "false",
                "PdfUri": f"{uri}/Download",
                "Uri": uri,
            }

    def _inquiries(self) -> Iterator[Nested]:
        for drawn, action, campaign, name, partner, partner_name, oid, event, created, amount, payout in self._rows(
            _DISPUTED
        ):
            begun, kind = to_utc(created) + timedelta(days=2), drawn // 20 % 3
            if begun > self.now:
                continue
            resolved = begun + timedelta(days=3 + drawn // 60 % 60)
            done, declined = resolved <= self.now, drawn // 60 % 3 == 0
            number = str(700_000 + drawn // 20 % 10**8)
            yield {
                "Id": number,
                "CampaignId": campaign,
                "CampaignName": name,
                "MediaPartnerId": partner,
                "MediaPartnerName": partner_name,
                "OrderId": oid,
                "TransactionDate": _wire(event),
                "TransactionAmount": str(amount),
                "InquiryType": ("UNTRACKED", "INCORRECT", "DECLINED")[kind],
                "ExpectedPayout": str(payout * 2),
                "ResolutionDeadlineDate": wire_time(begun + timedelta(days=30)),
                "Comments": [{"User": partner_name, "Comment": "Where is it?", "Date": wire_time(begun)}],
                "TrackingLink": "",
                "ActionId": action,
                "ActionUri": self._uri("Actions", action),
                "AutoApprovalDate": wire_time(begun + timedelta(days=60)),
                "ResolutionStatus": ("DECLINED" if declined else "VALID") if done else "UNRESOLVED",
                "RejectReason": "Other" if done and declined else "",
                "FinalPayout": str(payout) if done and not declined else "",
                "ResolutionDate": wire_time(resolved) if done else "",
                "CreationDate": wire_time(begun),
                "Uri": self._uri("ActionInquiries", number),
            }

    def _invoices(self) -> Iterator[Nested]:
        """An invoice or more for each partner and month, early in the next: what cleared, by campaign and month."""
        cleared: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
        zone = ZoneInfo(ZONES.get(self.time_zone, ZONE_NAME))
        for partner, name, month, part, *line in self._rows(_CLEARED, zone.key, self.invoices_a_month):
            created = (month + timedelta(days=32)).replace(day=1 + part, hour=11, minute=43, second=30, tzinfo=zone)
            if created <= self.now:
                cleared[created, partner, name].append(tuple(line))
        for created, partner, name in sorted(cleared, key=lambda key: key[0], reverse=True):
            lines = list(self._lines(created, partner, cleared[created, partner, name]))
            id_ = f"{partner}-{created.year * 12 + created.month - 24_000}"
            id_ += f"-{created.day}" if created.day > 1 else ""
            uri = self._uri("Invoices", id_)
            yield {
                "Id": id_,
                "CreatedDate": wire_time(created),
                "MediaId": partner,
                "MediaName": name,
                "Currency": "USD",
                "TotalAmount": cents(sum((Decimal(line["TotalItemAmount"]) for line in lines), Decimal(0))),
                "TotalVatAmount": cents(sum((Decimal(line["VatItemAmount"]) for line in lines), Decimal(0))),
                "LineItems": lines,
                "DetailedLineItems": _details(partner, name, lines),
                "PDF": f"{uri}/Download",
                "Uri": uri,
            }

    def _lines(self, created: datetime, partner: str, cleared: list[tuple[Any, ...]]) -> Iterator[Nested]:
        due = created.replace(hour=0, minute=0, second=0) + DUE_AFTER
        late = self._drawn(3, partner, created.isoformat(), "late") == 0
        paid = due + (LATE if late else timedelta(0)) + timedelta(seconds=35)
        status = "PAID" if paid <= self.now else "OVERDUE" if due <= self.now else "PENDING"
        rate = VAT if self._drawn(6, partner, "vat") == 0 else Decimal(0)
        rows = [("MEDIA_PAYOUT", *line) for line in cleared]
        if self._drawn(4, partner, created.isoformat(), "bonus") == 0:
            rows.append(("BONUS", *cleared[-1][:3], 0, BONUS))
        for what, campaign, name, month, actions, payout in rows:
            vat = Decimal(cents(payout * rate))
            yield {
                "CampaignId": campaign,
                "CampaignName": name,
                "Description": what,
                "EventMonthYear": month,
                "Actions": str(actions),
                "NetItemAmount": cents(payout),
                "VatItemAmount": cents(vat),
                "TotalItemAmount": cents(payout + vat),
                "Status": status,
                "DueDate": wire_time(due),
                "PaidDate": wire_time(paid) if status == "PAID" else "",
            }

    def _rows(self, sql: str, zone: str = ZONE_NAME, parts: int = 1) -> list[tuple[Any, ...]]:
        text = sql.format(shown=shown_at("v", self.now), zone=zone, parts=parts)
        return self.ledger.connection.execute(text).fetchall()

    def _drawn(self, below: int, *parts: str) -> int:
        """Return a number from 0 on, drawn by the seed."""
        return zlib.crc32("|".join((str(self.seed), *parts)).encode()) % below

    def _uri(self, *parts: str) -> str:
        return "/".join((f"/Advertisers/{self.account_sid}", *parts))


def _details(partner: str, name: str, lines: list[Nested]) -> list[Nested]:
    """Return the lines by program and month: what is for actions, and what else is owed."""
    sums: dict[tuple[str, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for line in lines:
        key = line["CampaignId"], line["CampaignName"], line["EventMonthYear"]
        sums[key][line["Description"] == "BONUS"] += Decimal(line["NetItemAmount"])
    return [
        {
            "AccountId": partner,
            "Name": name,
            "ProgramId": program,
            "ProgramName": program_name,
            "EventMonthYear": month,
            "ActionAmount": cents(for_actions),
            "OtherAmount": cents(other) if other else "",
            "TotalAmount": cents(for_actions + other),
        }
        for (program, program_name, month), (for_actions, other) in sums.items()
    ]


def _wire(instant: datetime) -> str:
    return wire_time(to_utc(instant))

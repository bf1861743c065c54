"""The lists of what surrounds the actions: where each is served, and by which parameters it can be filtered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import ge, gt, le, lt

from .answers import Refusal
from .query import PAGING, refuse_unknown
from .reference import Nested
from .rules import Rules
from .times import parse_time

Compare = Callable[[datetime, datetime], bool]


@dataclass(frozen=True)
class ReferenceList:
    """A list: its key, the fields that parameters must equal, the dates that they bound, and defaults."""

    key: str
    equal: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[str, Compare]] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)

    def select(self, records: list[Nested], parameters: Mapping[str, str], rules: Rules) -> list[Nested]:
        """Return the records that meet the parameters; refuse those that are not documented."""
        refuse_unknown(parameters, PAGING | {*self.equal, *self.bounds})
        for name in self.needed:
            if not parameters.get(name):
                raise Refusal(400, f"{name} is required", name)
        wanted = {**self.defaults, **parameters}
        limits = {name: _instant(name, wanted[name]) for name in self.bounds if name in wanted}
        span = limits["EndDate"] - limits["StartDate"] if {"StartDate", "EndDate"} <= limits.keys() else timedelta()
        if rules.reference_days is not None and span > timedelta(days=rules.reference_days):
            raise Refusal(400, f"The range cannot exceed {rules.reference_days} days", "EndDate")
        equal = {self.equal[name]: wanted[name] for name in self.equal if name in wanted}
        bounds = [(*self.bounds[name], limit) for name, limit in limits.items()]
        return [
            record
            for record in records
            if all(record[name] == value for name, value in equal.items())
            and all(_within(record[name], compare, limit) for name, compare, limit in bounds)
        ]


def _instant(name: str, text: str) -> datetime:
    instant = parse_time(text)
    if instant is None:
        raise Refusal(400, f"{name} must be an ISO 8601 date with a time component", name)
    return instant


def _within(text: str, compare: Compare, limit: datetime) -> bool:
    instant = parse_time(text)
    return instant is not None and compare(instant, limit)


_CREATED: dict[str, tuple[str, Compare]] = {"StartDate": ("CreationDate", ge), "EndDate": ("CreationDate", le)}
CAMPAIGNS = ReferenceList("Campaigns", {"Name": "Name", "State": "State"})
CAMPAIGN_STATES = (
    *("ACTIVE", "AWAITING_REVIEW", "CANCELLED", "CLOSED", "DEACTIVATED", "DELINQUENT", "REJECTED", "SETUP"),
    "SETUP_COMPLETE",
)
NOT_PLAYED = frozenset(
    {
        *("Ads", "Catalogs", "Deals", "ExceptionLists", "FTPFileSubmissions", "PhoneNumbers", "PromoCodes", "Reports"),
        *("TrackingValueRequests", "UniqueUrls", "Contacts", "Notes", "ConversionPaths"),
    }
)
"""Lists that are always empty here, by the last part of their path, which is also their key."""
LISTS = {
    "MediaPartners": ReferenceList(
        "Partners",
        {"Id": "Id", "State": "State"},
        {"startDate": ("DateLastUpdated", gt), "endDate": ("DateLastUpdated", lt)},
    ),
    "MediaPartnerGroups": ReferenceList("Groups"),
    "Contracts": ReferenceList(
        "Contracts",
        {"PartnerId": "PartnerId", "Status": "Status"},
        {
            f"{name}{side}": (name, compare)
            for name in ("DateLastUpdated", "StartDate", "EndDate")
            for side, compare in (("Before", lt), ("After", gt))
        },
        defaults={"Status": "ACTIVE"},
    ),
    "ActionInquiries": ReferenceList(
        "ActionInquiries",
        {name: name for name in ("CampaignId", "MediaPartnerId", "OrderId", "ResolutionStatus")},
        {**_CREATED, "TransactionDateStart": ("TransactionDate", ge), "TransactionDateEnd": ("TransactionDate", le)},
        needed=("CampaignId",),
    ),
    "Invoices": ReferenceList("Invoices", bounds={"StartDate": ("CreatedDate", ge), "EndDate": ("CreatedDate", le)}),
}
"""By the last part of their path."""

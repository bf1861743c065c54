"""The lists that surround the actions, as data: where each is, which tables hold it, how far back it is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..rows.columns import SYNCED_AT, Column, Kind, hints
from ..rows.naming import snake_case
from ..rows.ours import KEY, REMOVED, STAMP

_TEXT, _MONEY, _TIME, _COUNT = Kind.TEXT, Kind.MONEY, Kind.TIME, Kind.COUNT
CAMPAIGN: Final = "{campaign}"
"""Stands for the campaign's id in a path and in parameters; a list with it is read for each campaign."""
CAMPAIGN_ID: Final = "campaign_id"


@dataclass(frozen=True)
class Table:
    """A table; its columns begin with the API's id, or with those of the key that the API's records do not have."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def hints(self) -> dict[str, Any]:
        """Its columns as dlt's hints."""
        removed = {"data_type": "bool", "nullable": True, "hard_delete": True}
        marks = dict.fromkeys(self.key, KEY)
        return hints((*self.columns, SYNCED_AT), **marks, synced_at=STAMP) | {
            REMOVED: removed | {"description": "True removes the row; never seen here"}
        }


@dataclass(frozen=True)
class Part:
    """A table with a row for each entry of the `fields`; its column `owner` has the id of the record that lists it.

    If a field has a text, that is its entries' `kind`, and `line` numbers them.
    """

    table: Table
    owner: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class ReferenceList:
    """A list of the API, or one object if it has no `keys`; each of `queries` is a list of its own.

    `created` is the date that StartDate and EndDate bound: such a list is read from where the last reading ended, or
    from the date that the query `unsettled` finds: the oldest record held that can still change. Others are read
    completely, and what they no longer list is removed.
    """

    table: Table
    path: tuple[str, ...]
    keys: tuple[str, ...] = ()
    queries: tuple[Mapping[str, str], ...] = ({},)
    created: str = ""
    unsettled: str = ""
    part: Part | None = None

    @property
    def name(self) -> str:
        """The name by which it is chosen and remembered: that of its table."""
        return self.table.name

    @property
    def tables(self) -> tuple[Table, ...]:
        """Its tables."""
        return (self.table, self.part.table) if self.part else (self.table,)

    @property
    def by_campaign(self) -> bool:
        """Whether each campaign has a list of its own."""
        return CAMPAIGN in (*self.path, *(value for query in self.queries for value in query.values()))


def _columns(*rows: tuple[str, Kind, str]) -> tuple[Column, ...]:
    return tuple(Column(field, snake_case(field), kind, description) for field, kind, description in rows)


def _own(name: str, description: str, kind: Kind = _TEXT) -> Column:
    """A column that is not in the API's records; no field begins with its sign."""
    return Column(f"@{name}", name, kind, description)


_CAMPAIGN_ID = _own(CAMPAIGN_ID, "The campaign that lists it; joins campaigns.id")
_ADDRESS = "as JSON: AddressLine1, AddressLine2, City, State, PostalCode, Country"
_CONTACT = "contact, as JSON: UserId, Name, Email, phone numbers"

COMPANY = ReferenceList(
    Table(
        "company",
        ("id",),
        (
            _own("id", "A fingerprint of the AccountSID, which tells accounts apart; the key of this table"),
            *_columns(
                ("CompanyName", _TEXT, "The brand's name"),
                ("Industry", _TEXT, "Its industry, as JSON: IndustryId, IndustryName"),
                ("Website", _TEXT, "Its website"),
                ("PrimaryPhoneNumber", _TEXT, "Its phone number"),
                ("PrimaryPhoneNumberCountry", _TEXT, "Country of the phone number, ISO 3166 alpha-2"),
                ("SecondaryPhoneNumber", _TEXT, "A second phone number"),
                ("SecondaryPhoneNumberCountry", _TEXT, "Country of the second phone number"),
                ("MinimumContactRating", _TEXT, "Stars that a partner needs to see contacts"),
                ("Timezone", _TEXT, "The account's time zone, in which impact.com has its days and months; as sent"),
                ("Currency", _TEXT, "The account's currency, ISO 4217"),
                ("RegisteredForIndirectTax", _TEXT, "Whether it is registered for VAT, GST or HST: true or false"),
                ("IndirectTaxNumber", _TEXT, "Its VAT, GST or HST number"),
                ("OrganizationType", _TEXT, "CORP, LLC and others, as sent"),
                ("EinSsnForeignTaxId", _TEXT, "Its tax number"),
                ("CorporateAddress", _TEXT, f"Its address, {_ADDRESS}"),
                ("BillingAddress", _TEXT, f"Its billing address, {_ADDRESS}"),
                ("FinancialContact", _TEXT, f"The financial {_CONTACT}"),
                ("TechnicalContact", _TEXT, f"The technical {_CONTACT}"),
                ("CommercialContact", _TEXT, f"The commercial {_CONTACT}"),
                ("SecurityContact", _TEXT, f"The {_CONTACT}, for compliance and security"),
                ("Uri", _TEXT, "The object's path in the API"),
            ),
        ),
    ),
    path=("CompanyInformation",),
)

MEDIA_PARTNERS = ReferenceList(
    Table(
        "media_partners",
        ("id",),
        _columns(
            ("Id", _TEXT, "The partner's id; joins actions.media_partner_id; the key of this table"),
            ("Name", _TEXT, "The partner's name"),
            ("Description", _TEXT, "What the partner says of itself"),
            ("Website", _TEXT, "Its website"),
            ("State", _TEXT, "State of the partner's account: ACTIVE, CLOSED and others, as sent"),
            ("Address", _TEXT, "Its address, as JSON: Country, Address1, Address2, City, State, PostalCode"),
            ("Phone", _TEXT, "Its phone number, as JSON: Country, Number"),
            ("Currency", _TEXT, "Currency of its payouts, ISO 4217"),
            ("Timezone", _TEXT, "Its time zone"),
            ("IndirectTax", _TEXT, "Its registration for VAT or GST, as JSON: Country, Number"),
            ("PartnerType", _TEXT, "DIRECT or MARKETPLACE"),
            ("PromotionalMethods", _TEXT, "How it promotes, as a JSON list: Type, IsPrimary"),
            ("PromotionalCountries", _TEXT, "Countries where it promotes, as a JSON list"),
            ("Properties", _TEXT, "Its websites, apps and social accounts, as a JSON list"),
            ("PromotionalCategories", _TEXT, "Categories in which it promotes, as a JSON list"),
            ("Programs", _TEXT, "The campaigns it has joined, as a JSON list: Id, ContractId, JoinDate and others"),
            ("Contacts", _TEXT, "Its contacts, as a JSON list: FirstName, LastName, Email, IsPrimary"),
            ("LinkedAccounts", _TEXT, "Accounts linked with it, as a JSON list: Id, Reason, Date"),
            ("PartnerValues", _TEXT, "Your own values for it, as JSON: Value1, Value2, Value3"),
            ("AccountManager", _TEXT, "The account manager assigned to it"),
            ("DateCreated", _TIME, "When its account was created"),
            ("DateLastUpdated", _TIME, "When its account was last updated"),
            ("Uri", _TEXT, "The partner's path in the API"),
        ),
    ),
    path=("MediaPartners",),
    keys=("Partners", "MediaPartners"),
)

PARTNER_GROUPS = ReferenceList(
    Table(
        "partner_groups",
        (CAMPAIGN_ID, "id"),
        (
            *_columns(("Id", _TEXT, "The group's id; with campaign_id the key of this table")),
            _CAMPAIGN_ID,
            *_columns(("Name", _TEXT, "The group's name"), ("Uri", _TEXT, "The group's path in the API")),
        ),
    ),
    path=("Campaigns", CAMPAIGN, "MediaPartnerGroups"),
    keys=("Groups", "MediaPartnerGroups"),
    part=Part(
        Table(
            "partner_group_members",
            (CAMPAIGN_ID, "group_id", "partner_id"),
            (
                _CAMPAIGN_ID,
                _own("group_id", "The group; joins partner_groups.id of the same campaign"),
                *_columns(
                    ("PartnerId", _TEXT, "A partner in the group; joins media_partners.id"),
                    ("PartnerName", _TEXT, "The partner's name"),
                    ("PartnerUri", _TEXT, "The partner's path in the API"),
                ),
            ),
        ),
        owner="group_id",
        fields={"MediaPartners": ""},
    ),
)

CONTRACTS = ReferenceList(
    Table(
        "contracts",
        (CAMPAIGN_ID, "id"),
        (
            *_columns(("Id", _TEXT, "The contract's id; with campaign_id the key; joins action_updates.contract_id")),
            _CAMPAIGN_ID,
            *_columns(
                ("PartnerId", _TEXT, "The partner; joins media_partners.id"),
                ("PartnerValue1", _TEXT, "Your own value for the partner"),
                ("Status", _TEXT, "ACTIVE or EXPIRED; proposals are not read"),
                ("StartDate", _TIME, "When the contract takes effect"),
                ("EndDate", _TIME, "When it ends; NULL if it is open-ended"),
                ("BrandSignatory", _TEXT, "Who signed for the brand"),
                ("BrandSignatoryDate", _TIME, "When the brand signed"),
                ("PartnerSignatory", _TEXT, "Who signed for the partner"),
                ("PartnerSignatoryDate", _TIME, "When the partner signed"),
                ("DateCreated", _TIME, "When the contract was created"),
                ("DateLastUpdated", _TIME, "When it was last updated"),
                ("TemplateTerms", _TEXT, "The terms, as JSON: TemplateId, VersionId, Name, Currency, EventPayouts"),
                ("ScheduledTerms", _TEXT, "Terms for a limited time, as a JSON list"),
                ("CampaignTerms", _TEXT, "Terms for creator, performance or product campaigns, as a JSON list"),
                ("HasCampaignTerms", _TEXT, "Whether there are any of those: true or false"),
                ("PdfUri", _TEXT, "Path of the contract as a PDF in the API"),
                ("Uri", _TEXT, "The contract's path in the API"),
            ),
        ),
    ),
    path=("Campaigns", CAMPAIGN, "Contracts"),
    keys=("Contracts",),
    # Without a status only the active ones are listed. In this order, one that expires meanwhile is in the second.
    queries=({"Status": "ACTIVE"}, {"Status": "EXPIRED"}),
)

ACTION_INQUIRIES = ReferenceList(
    Table(
        "action_inquiries",
        ("id",),
        _columns(
            ("Id", _TEXT, "The inquiry's id; the key of this table"),
            ("CampaignId", _TEXT, "The campaign; joins campaigns.id"),
            ("CampaignName", _TEXT, "The campaign's name"),
            ("MediaPartnerId", _TEXT, "The partner who asks; joins media_partners.id"),
            ("MediaPartnerName", _TEXT, "The partner's name"),
            ("OrderId", _TEXT, "The brand's order id"),
            ("TransactionDate", _TIME, "When the order was made, as the partner says"),
            ("TransactionAmount", _MONEY, "The order's amount, as the partner says"),
            ("InquiryType", _TEXT, "UNTRACKED, INCORRECT or DECLINED"),
            ("ExpectedPayout", _MONEY, "The commission that the partner expects"),
            ("ResolutionDeadlineDate", _TIME, "Until when the inquiry should be resolved"),
            ("Comments", _TEXT, "Comments, as a JSON list: User, Comment, Date"),
            ("TrackingLink", _TEXT, "The partner's link"),
            ("ActionId", _TEXT, "The action, if there is one; joins actions.id"),
            ("ActionUri", _TEXT, "The action's path in the API"),
            ("AutoApprovalDate", _TIME, "When the inquiry is approved by itself"),
            ("ResolutionStatus", _TEXT, "UNRESOLVED, VALID, DECLINED or INCOMPLETE"),
            ("RejectReason", _TEXT, "Why it was declined"),
            ("FinalPayout", _MONEY, "The commission that was granted"),
            ("ResolutionDate", _TIME, "When it was resolved"),
            ("CreationDate", _TIME, "When the partner asked"),
            ("Uri", _TEXT, "The inquiry's path in the API"),
        ),
    ),
    path=("ActionInquiries",),
    keys=("ActionInquiries",),
    queries=({"CampaignId": CAMPAIGN},),
    created="creation_date",
    unsettled="select min(creation_date) from action_inquiries where campaign_id = %s "
    "and (resolution_status is null or resolution_status not in ('VALID', 'DECLINED'))",
)

INVOICES = ReferenceList(
    Table(
        "invoices",
        ("id",),
        _columns(
            ("Id", _TEXT, "The invoice's id; the key of this table"),
            ("CreatedDate", _TIME, "When the invoice was created"),
            ("MediaId", _TEXT, "The partner who is paid; joins media_partners.id"),
            ("MediaName", _TEXT, "The partner's name"),
            ("Currency", _TEXT, "ISO 4217 code of all money here and in its lines"),
            ("TotalAmount", _MONEY, "What is owed"),
            ("TotalVatAmount", _MONEY, "VAT in it"),
            ("PDF", _TEXT, "Path of the invoice as a PDF in the API"),
            ("Uri", _TEXT, "The invoice's path in the API"),
        ),
    ),
    path=("Invoices",),
    keys=("Invoices",),
    created="created_date",
    unsettled="select min(i.created_date) from invoices i join invoice_lines l on l.invoice_id = i.id "
    "where l.kind = 'line' and (l.status is null or l.status <> 'PAID')",
    part=Part(
        Table(
            "invoice_lines",
            ("invoice_id", "kind", "line"),
            (
                _own("invoice_id", "The invoice; joins invoices.id"),
                _own(
                    "kind",
                    "line (of LineItems: a campaign, month and kind of charge, with its payment) or detail (of "
                    "DetailedLineItems: the same money by partner account, program and month)",
                ),
                _own("line", "Number of the line within its kind, from 1", _COUNT),
                *_columns(
                    ("CampaignId", _TEXT, "The campaign; of a line"),
                    ("CampaignName", _TEXT, "The campaign's name; of a line"),
                    ("Description", _TEXT, "MEDIA_PAYOUT, BONUS and others, as sent; of a line"),
                    ("AccountId", _TEXT, "The partner's account; of a detail"),
                    ("Name", _TEXT, "The name of the partner's account; of a detail"),
                    ("ProgramId", _TEXT, "The campaign; of a detail"),
                    ("ProgramName", _TEXT, "The campaign's name; of a detail"),
                    ("EventMonthYear", _TEXT, "Month of the conversions as the API writes it: 92018 is September 2018"),
                    ("Actions", _COUNT, "Number of actions; of a line"),
                    ("NetItemAmount", _MONEY, "What is owed before VAT; of a line"),
                    ("VatItemAmount", _MONEY, "VAT; of a line"),
                    ("TotalItemAmount", _MONEY, "What is owed with VAT; of a line"),
                    ("ActionAmount", _MONEY, "What is owed for actions; of a detail"),
                    ("OtherAmount", _MONEY, "What else is owed, a bonus for example; of a detail"),
                    ("TotalAmount", _MONEY, "The sum of both; of a detail"),
                    ("Status", _TEXT, "PENDING, PAID or OVERDUE; of a line"),
                    ("DueDate", _TIME, "When payment is due; of a line"),
                    ("PaidDate", _TIME, "When it was paid; NULL if it was not; of a line"),
                ),
            ),
        ),
        owner="invoice_id",
        fields={"LineItems": "line", "DetailedLineItems": "detail"},
    ),
)

LISTS: Final = (COMPANY, MEDIA_PARTNERS, PARTNER_GROUPS, CONTRACTS, ACTION_INQUIRIES, INVOICES)


def choose(names: tuple[str, ...]) -> list[ReferenceList]:
    """The lists that hold some of these tables; the other table of a list comes with it."""
    return [one for one in LISTS if any(table.name in names for table in one.tables)]

"""The figures of a report, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from . import words
from .ageing import Unpaid
from .closed import ClosedMonth
from .cohorts import Cohorts
from .customers import Customers
from .invoices import Invoices
from .reconciled import Reconciled
from .restated import Restated

Currency = str | None
"""A currency as the API names it; None if it names none. Amounts of two currencies are never added."""


@dataclass(frozen=True)
class Balance:
    """The totals of one currency's conversions. `accrued` is `at_risk`, `locked` and `paid` together."""

    actions: int
    actions_reversed: int
    revenue: Decimal
    accrued: Decimal
    at_risk: Decimal
    """Commission of open conversions, which a reversal could still take away."""
    approved: Decimal
    """The part of `at_risk` that was approved before its lock."""
    locked: Decimal
    """Locked but not paid."""
    paid: Decimal
    reversed: Decimal
    """Commission that the reversed conversions would have earned."""
    fees: Decimal | None = None
    """What the brand pays beside `accrued`; None if the API tells no cost."""


NOTHING: Final = Balance(0, 0, *[Decimal(0)] * 7)


@dataclass(frozen=True)
class Comparison:
    """The balances as they were known at an instant, or why they are not available."""

    at: datetime
    balances: dict[Currency, Balance]
    as_of: datetime | None = None
    """Up to when changes had been read by then."""
    missing: str = ""
    """Why there are no balances; empty if there are."""
    unknown: tuple[str, ...] = ()
    """Campaigns that were first read after the instant, so that everything in them would count as a change."""


@dataclass(frozen=True)
class Daily:
    """Conversions of one day, week or month, currency and stage."""

    start: date
    currency: Currency
    stage: str
    actions: int
    commission: Decimal
    """The payout; for reversed conversions, what they would have earned."""


@dataclass(frozen=True)
class Month:
    """Conversions of one event month and currency; month None if the event's date is not known."""

    start: date | None
    currency: Currency
    actions: int
    actions_open: int
    actions_reversed: int
    accrued: Decimal
    at_risk: Decimal
    locked: Decimal
    paid: Decimal
    reversed: Decimal
    fees: Decimal | None = None

    @property
    def cost(self) -> Decimal | None:
        """Commission and fees; None if the API tells no cost."""
        return None if self.fees is None else self.accrued + self.fees

    @property
    def settled(self) -> bool:
        """Whether its reversal rate is final but for a few conversions: some may stay open for long."""
        return words.settled(self.actions, self.actions_open)


@dataclass(frozen=True)
class Lock:
    """Commission at risk that locks in the week from `week`, a Monday; None if the LockingDate is not known."""

    week: date | None
    currency: Currency
    actions: int
    approved: int
    at_risk: Decimal


@dataclass(frozen=True)
class Partner:
    """One partner's conversions in one currency; money counts those that are not reversed."""

    id: str | None
    name: str | None
    currency: Currency
    actions: int
    actions_reversed: int
    revenue: Decimal
    paid: Decimal
    locked: Decimal
    at_risk: Decimal

    @property
    def commission(self) -> Decimal:
        """All of it."""
        return self.paid + self.locked + self.at_risk


@dataclass(frozen=True)
class Ranking:
    """The partners of one currency with the most commission, how many there are, and the commission of all."""

    partners: tuple[Partner, ...]
    of: int
    commission: Decimal


@dataclass(frozen=True)
class Coverage:
    """How complete the items are, for a campaign's actions in one currency."""

    campaign_id: str
    currency: Currency
    actions: int
    current: int
    outdated: int
    missing: int
    not_found: int
    share_of_actions: float | None
    share_of_amount: float | None
    derived: int = 0
    """Those of `current` that the change feed says, not their own lists."""


@dataclass(frozen=True)
class Contradiction:
    """A campaign whose change feed is not used, and what a list of items said instead."""

    campaign_id: str
    example: str


@dataclass(frozen=True)
class Freshness:
    """Up to when a campaign was read, and whether that was verified. `drift`: actions that differed and still do."""

    campaign_id: str
    name: str | None
    actions: int = 0
    as_of: datetime | None = None
    latest_event: datetime | None = None
    verified_at: datetime | None = None
    drift: int | None = None


@dataclass(frozen=True)
class Figures:
    """Everything in a report. Instants show what the clocks of the account's time zone do."""

    campaigns: tuple[Freshness, ...]
    as_of: datetime | None
    since: datetime | None
    balances: dict[Currency, Balance]
    """The currency with the most conversions first."""
    compared: Comparison | None
    daily: tuple[Daily, ...]
    unit: str
    months: tuple[Month, ...]
    locks: tuple[Lock, ...]
    rankings: dict[Currency, Ranking]
    restated: Restated | None
    coverage: tuple[Coverage, ...]
    rejected: int
    contradictions: tuple[Contradiction, ...] = ()
    zone: str = "UTC"
    """IANA name of the time zone whose days, weeks and months these are."""
    zone_unknown: bool = False
    """Whether that is because nobody knows the account's."""
    first_event: datetime | None = None
    """The earliest conversion that the figures count."""
    closed: ClosedMonth | None = None
    """The closed month to compare with, if one was asked for."""
    unpaid: tuple[Unpaid, ...] = ()
    cohorts: Cohorts | None = None
    customers: Customers | None = None
    invoices: Invoices | None = None
    reconciled: Reconciled | None = None

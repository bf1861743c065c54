"""What a run is asked to read, and from whose account."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, TypeAlias

from .errors import ConfigurationError, ForeignWarehouse
from .parsing import end_of, is_local, start_of
from .plan.passes import Bounds
from .settings import LOCK_MAX, Settings

State: TypeAlias = MutableMapping[str, Any]
"""The source's state in dlt: the account, the cursors of each campaign, and what the API has been proven to do."""


@dataclass(frozen=True)
class Ask:
    """What the user asked of a run; None is the default: all campaigns, from the cursors, to now.

    A bound that is a date and no `datetime` is that whole day in the account's time zone; one without an offset is a
    time there.
    """

    campaigns: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        """Refuse a range that ends before it starts: it would silently hold nothing."""
        if is_local(self.since) is is_local(self.until):  # else only the zone tells
            self.range(UTC)

    @property
    def is_dated(self) -> bool:
        """Whether a bound is a day or a time without an offset: its instant depends on the account's time zone."""
        return is_local(self.since) or is_local(self.until)

    def range(self, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
        """The instants of the bounds. Raises `ConfigurationError` if the range ends before it starts."""
        since = start_of(self.since, zone) if self.since else None
        until = end_of(self.until, zone) if self.until else None
        if since and until and since > until:
            msg = f"`since` ({self.since}) is after `until` ({self.until}): swap them"
            raise ConfigurationError(msg)
        return since, until

    def bounds(self, now: datetime, zone: tzinfo) -> Bounds:
        """The limits of a run that starts at `now`. Raises `ConfigurationError` if they leave nothing to read.

        An `until` further ahead than any action can lock is cut back to there.
        """
        since, until = self.range(zone)
        until = min(until or now, now + LOCK_MAX)
        if since and since > until:
            msg = f"`since` ({since.isoformat()}) lies after {until.isoformat()}, up to which would be read"
            raise ConfigurationError(msg)
        return Bounds(now, until, since)


def claim_warehouse(state: State, settings: Settings) -> None:
    """Record whose warehouse this is. Raises `ForeignWarehouse` if it was filled from another account."""
    if state.setdefault("account", settings.account) != settings.account:
        msg = (
            f"this warehouse was filled from another account than {settings.masked_sid}: "
            "give each account a warehouse of its own (DESTINATION__DUCKDB__CREDENTIALS)"
        )
        raise ForeignWarehouse(msg)

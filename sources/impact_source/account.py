"""What a run is asked to read, and from whose account."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from .errors import ConfigurationError, ForeignWarehouse
from .plan.passes import Bounds
from .settings import LOCK_MAX, Settings

State: TypeAlias = MutableMapping[str, Any]
"""The source's state in dlt: the account, the cursors of each campaign, and what the API has been proven to do."""


@dataclass(frozen=True)
class Ask:
    """What the user asked of a run; None is the default: all campaigns, from the cursors, to now."""

    campaigns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a range that ends before it starts: it would silently hold nothing."""
        if self.since and self.until and self.since > self.until:
            msg = f"`since` ({self.since.isoformat()}) is after `until` ({self.until.isoformat()}): swap them"
            raise ConfigurationError(msg)

    def bounds(self, now: datetime) -> Bounds:
        """The limits of a run that starts at `now`. Raises `ConfigurationError` if they leave nothing to read.

        An `until` further ahead than any action can lock is cut back to there.
        """
        until = min(self.until or now, now + LOCK_MAX)
        if self.since and self.since > until:
            msg = f"`since` ({self.since.isoformat()}) lies after {until.isoformat()}, up to which would be read"
            raise ConfigurationError(msg)
        return Bounds(now, until, self.since)


def claim_warehouse(state: State, settings: Settings) -> None:
    """Record whose warehouse this is. Raises `ForeignWarehouse` if it was filled from another account."""
    if state.setdefault("account", settings.account) != settings.account:
        msg = (
            f"this warehouse was filled from another account than {settings.masked_sid}: "
            "give each account a warehouse of its own (DESTINATION__DUCKDB__CREDENTIALS)"
        )
        raise ForeignWarehouse(msg)

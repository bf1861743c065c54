"""What a verification covers: campaigns, and the windows of each. Planning is pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from impact_source import Ask
from impact_source.account import State
from impact_source.campaigns import Campaigns
from impact_source.errors import ConfigurationError
from impact_source.plan.cursors import Cursors, Mark
from impact_source.plan.passes import Bounds
from impact_source.plan.windows import Window, cut


@dataclass(frozen=True)
class Plan:
    """What is verified of a campaign."""

    campaign_id: str
    windows: tuple[Window, ...]
    bounds: Bounds
    synced: datetime | None
    """How far the last sync reached; None if there was none: then everything that differs is newer."""
    open_ended: bool
    """Whether actions that the warehouse dates after the last window should have been in it."""
    expected_from: datetime | None = None
    """Actions created before this need not be held."""


@dataclass(frozen=True)
class Scope:
    """The selected campaigns with their cursors, and those among them that can be verified."""

    ask: Ask
    campaigns: Campaigns
    names: dict[str, str]
    cursors: dict[str, datetime | None]
    begun: list[str]
    zone: ZoneInfo
    """The account's time zone."""

    def bounds(self, now: datetime) -> Bounds:
        """The bounds as of now: the API's horizon moves while campaigns are read."""
        now = now.replace(microsecond=0)
        since, until = self.ask.range(self.zone)
        return Bounds(now, until or now, since)

    def plan(self, campaign_id: str, now: datetime, configured: datetime | None, held: datetime | None) -> Plan:
        """The windows of a campaign, whose sync begins at `configured`; the first action held is dated `held`."""
        bounds = self.bounds(now)
        since = bounds.since
        if since is None and configured:  # actions held from before a configured start are verified too
            since = min(configured, held or configured)
        start = max(since or bounds.earliest, bounds.earliest)
        if start > bounds.until:
            msg = f"there is nothing to verify between {start.isoformat()} and {bounds.until.isoformat()}"
            raise ConfigurationError(msg)
        return Plan(
            campaign_id,
            tuple(cut(start, bounds.until)),
            bounds,
            self.cursors[campaign_id],
            open_ended=self.ask.until is None,
            expected_from=configured,
        )


def choose(  # noqa: PLR0913, PLR0917 - what a user may choose, and where things stand
    campaigns: Campaigns, asked: Sequence[str], ask: Ask, state: State, held: Collection[str], zone: ZoneInfo
) -> Scope:
    """The campaigns to verify. Raises `UnknownCampaign` if a requested one does not exist."""
    names = {id_: campaigns.names[id_] for id_ in campaigns.choose(asked)}
    cursors = {id_: Cursors(state, id_).get(Mark.UPDATED) for id_ in names}
    begun = [id_ for id_ in names if cursors[id_] or id_ in held]
    return Scope(ask, campaigns, names, cursors, begun, zone)

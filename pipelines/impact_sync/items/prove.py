"""`impact items --prove-feed`: forgets what is known of a campaign's change feed, so that lists prove it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from impact_source import impact_items
from impact_source.account import State, claim_warehouse
from impact_source.errors import ConfigurationError
from impact_source.items.feed.derive import read_feeds
from impact_source.items.feed.proof import Feed
from impact_source.rows.landing import Landing

from ..load.session import Load


@dataclass(frozen=True)
class _Unproven:
    """The load package with the rows of `item_feeds`."""

    load: Load
    feeds: Sequence[Feed]

    def package(self, state: State) -> Iterator[Landing]:
        """Its rows."""
        claim_warehouse(state, self.load.client.settings)
        yield Landing(feeds=[feed.row for feed in self.feeds])


def check_provable(load: Load, campaigns: Sequence[str]) -> None:
    """Raise `ConfigurationError` unless something is known of the change feeds of all these campaigns."""
    used = load.client.settings.items
    if campaigns and used != "feed":
        msg = f"sources.impact.items is {used}, so no change feed is used: set it to feed, then prove a feed again"
        raise ConfigurationError(msg)
    known = sorted(read_feeds(load.warehouse)) if campaigns else []
    for campaign_id in campaigns:
        if campaign_id not in known:
            which = f"those known are {', '.join(known)}" if known else "none is known yet: run `impact sync` first"
            msg = f"nothing is known of a change feed of campaign {campaign_id!r}; {which}"
            raise ConfigurationError(msg)


def prove_again(load: Load, campaigns: Sequence[str]) -> None:
    """Land that these feeds are not proven: only lists that arrive from now on count."""
    now = load.client.clock.now()
    feeds = [Feed(campaign_id, checked_at=now) for campaign_id in dict.fromkeys(campaigns)]
    load(impact_items(walk=_Unproven(load, feeds)))
    load.warehouse.refresh()

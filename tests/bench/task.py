"""The task for a contender other than `impact` itself: where to read, what, and where to write it."""

from __future__ import annotations

import math
import sys
from datetime import datetime, timedelta

import msgspec

HISTORY = timedelta(days=1095) - timedelta(hours=1)
"""How far back `impact sync` reads on its first run."""
WINDOW = timedelta(days=45)
CAMPAIGN = "1000"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One backfill of one campaign into a new DuckDB file; `share` is how much of the history it takes."""

    url: str
    account_sid: str
    auth_token: str
    now: datetime
    warehouse: str
    page_size: int = 20_000
    share: float = 1.0
    ahead: int = 0
    """The floor's requests in flight besides the current page."""
    tuned: bool = False
    """Whether dlt's own source gets the settings that make it fast."""

    @classmethod
    def told(cls) -> Task:
        """The task from the command line of this process."""
        return msgspec.json.decode(sys.argv[1], type=cls)

    def to_argument(self) -> str:
        """The task as a contender's argument."""
        return msgspec.json.encode(self).decode()

    @property
    def path(self) -> str:
        """The path of the list of actions."""
        return f"/Advertisers/{self.account_sid}/Actions"

    @property
    def windows(self) -> list[dict[str, str]]:
        """The parameters of each window, oldest first: those that `impact sync` requests, or the last of them."""
        starts = [self.now - HISTORY]
        while starts[-1] + WINDOW < self.now:
            starts.append(starts[-1] + WINDOW)
        windows = [self._parameters(start, min(start + WINDOW, self.now)) for start in starts]
        return windows[-math.ceil(len(windows) * self.share) :]

    def _parameters(self, start: datetime, end: datetime) -> dict[str, str]:
        dates = {"StartDate": _instant(start), "EndDate": _instant(end)}
        return {"CampaignId": CAMPAIGN, **dates, "PageSize": str(self.page_size)}


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

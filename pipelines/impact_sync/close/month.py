"""A month of the account's calendar. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from typing_extensions import override


@dataclass(frozen=True)
class Month:
    """A month, by its first day, and the IANA name of the zone whose calendar it belongs to."""

    first: date
    time_zone: str

    @property
    def start(self) -> datetime:
        """Its first instant, in UTC."""
        return self._midnight(self.first)

    @property
    def end(self) -> datetime:
        """The first instant of the next month, in UTC."""
        return self._midnight(self.next_first)

    @property
    def next_first(self) -> date:
        """The first day of the next month."""
        year, month = divmod(self.first.year * 12 + self.first.month, 12)
        return date(year, month + 1, 1)

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.time_zone)).astimezone(UTC)

    @override
    def __str__(self) -> str:
        """As users write it: 2026-01."""
        return f"{self.first:%Y-%m}"

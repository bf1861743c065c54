"""Instants: UTC inside, in the account's zone on the wire."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE_NAME = "America/Los_Angeles"
ZONE = ZoneInfo(ZONE_NAME)
ZONES = {
    "(GMT -08:00) Pacific Time (US & Canada); Tijuana": ZONE_NAME,
    "(GMT -05:00) Eastern Time (US & Canada)": "America/New_York",
    "(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London": "Europe/London",
    "(GMT +01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna": "Europe/Berlin",
    "(GMT +05:45) Kathmandu": "Asia/Kathmandu",
    "(GMT +12:00) Auckland, Wellington": "Pacific/Auckland",
}
"""What accounts call their time zones: their invoices have its months, those of others have Pacific ones."""
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
DEFAULT_NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def to_utc(instant: datetime) -> datetime:
    """Return the instant in UTC and whole seconds; a naive one counts as UTC."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)


def wire_time(instant: datetime) -> str:
    """Write an instant as the string wire format does: `2020-09-10T10:42:38-07:00`."""
    return instant.astimezone(ZONE).isoformat(timespec="seconds")


def typed_time(instant: datetime) -> str:
    """Write an instant as the typed wire format does: `2020-09-10T17:42:38.000Z`."""
    return f"{instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}.000Z"


def parse_time(text: str) -> datetime | None:
    """Read an instant with a time component; None if there is none. Without an offset it is in the account's zone."""
    if "T" not in text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=ZONE)).astimezone(UTC)
    except OverflowError:  # beyond the first or last day of the calendar in UTC
        return datetime.min.replace(tzinfo=UTC) if parsed.year == 1 else datetime.max.replace(tzinfo=UTC)


def later(instant: datetime, delay: timedelta) -> datetime:
    """Return the instant plus a delay, at most the end of the calendar."""
    return datetime.max.replace(tzinfo=UTC) if instant > NEVER - delay else instant + delay


def sql_time(instant: datetime) -> str:
    """Write an instant as a SQL literal of the ledger, whose timestamps are UTC."""
    return f"TIMESTAMP '{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def stored(instant: datetime | None) -> datetime | None:
    """Return an instant as a parameter of the ledger."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant else None


def locking_midnight(created: datetime, *, days: int, shared_day: int | None) -> datetime:
    """Return when an action created then locks: a midnight in the account's zone, `days` later or on the shared day."""
    midnight = created.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if shared_day is None:
        local = midnight + timedelta(days=days)
    else:
        local = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1) + timedelta(days=shared_day - 1)
    return local.replace(tzinfo=ZONE).astimezone(UTC)

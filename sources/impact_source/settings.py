"""The API's limits, each with its source, and the settings of this source.

"Reference" is impact.com's documentation of the Actions endpoints; "observed" is what teams report from live use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, get_type_hints
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import dlt

from .errors import ConfigurationError
from .lookup import explain_missing
from .parsing import parse_bound, parse_duration, parse_flag, parse_ids, start_of
from .shown import Mask
from .zones import is_zone, suggest_zone

WINDOW_MAX: Final = timedelta(days=45)  # reference: the longest StartDate to EndDate; observed for the other dates
HISTORY_MAX: Final = timedelta(days=1095) - timedelta(hours=1)  # reference: 3 years; an hour of margin for clocks
LOCK_MAX: Final = timedelta(days=760)  # observed: an action stays open for up to 730 days; a month of margin
PAGE_SIZE_MIN: Final = 2_000  # reference
PAGE_SIZE_DEFAULT: Final = 20_000  # reference
PAGE_SIZE_MAX: Final = 200_000  # ours: larger pages do not fit our memory, if the API takes them at all
PAGES_MAX: Final = 10  # reference: more matches than 10 x PageSize are refused
# Ours: a load package is one transaction, and what a crash makes us read again. Three row groups of DuckDB, of 122,880
# rows, and a little: of packages with fewer whole ones it rewrites nearly all, to join the remainders.
PACKAGE_ROWS: Final = 375_000
IN_FLIGHT_MAX: Final = 16  # ours: the most connections to the API
SPARED: Final = 0.1  # ours: the share of the hourly limit that items leave to others
REQUESTS_PER_HOUR: Final = 1_000  # reference: the default of an account
STATES: Final = ("PENDING", "APPROVED", "REVERSED")  # reference: the values to filter by; others have been observed
IR_VERSION: Final = "14"  # published OpenAPI: the answer's shape depends on it
LATE: Final = timedelta(hours=1)  # observed: rows show up minutes after their own dates; one team settled on an hour
CLOCK_TOLERANCE: Final = timedelta(seconds=30)  # beyond this the server's clock is believed, not ours

SECTION: Final = "sources.impact"
REFERENCE: Final = (
    *("company", "media_partners", "partner_groups", "partner_group_members", "contracts", "action_inquiries"),
    *("invoices", "invoice_lines"),
)
"""The tables of what surrounds the actions."""
ITEM_SOURCES: Final = ("feed", "exact", "off")
_CREDENTIALS: Final = frozenset({"account_sid", "auth_token"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_BLANK: Final = " \t\r\n\u00a0\u200b\ufeff"
"""Characters that come along when a value is copied or read from a file."""


@dataclass(frozen=True)
class Settings:
    """What the source needs to know. `Settings.resolve()` takes it from dlt's configuration.

    Durations are `timedelta` here and text such as `"1 day"`, `"90 minutes"` or `"P1D"` in configuration; instants
    are UTC here and ISO 8601 there; a date is that day in the account's time zone.
    """

    account_sid: str = field(repr=False)
    auth_token: str = field(repr=False)
    base_url: str = "https://api.impact.com"
    campaign_ids: tuple[str, ...] = ()
    start_date: date | None = None
    overlap: timedelta = timedelta(days=1)
    recheck_interval: timedelta = timedelta(0)
    clearing_lookback: timedelta = timedelta(days=180)
    page_size: int = PAGE_SIZE_DEFAULT
    requests_per_hour: int = REQUESTS_PER_HOUR
    max_wait: timedelta = timedelta(minutes=15)
    max_attempts: int = 8
    """How often a request that may still succeed is sent."""
    retry_wait: timedelta = timedelta(seconds=1)
    """The first wait before a request is repeated, about this long; later ones are longer. Zero does not wait."""
    package_rows: int = PACKAGE_ROWS
    items: str = "feed"
    """Where items come from: `feed` derives them from the change feed where that is proven and requests the rest,
    `exact` requests those of each action, `off` neither."""
    items_max_requests: int | None = None
    """The most requests that a sync spends on items; None for what the hourly limit leaves, 0 for none."""
    item_concurrency: int = 8
    history: bool = True
    """Whether every version of an action and of an item is kept. `impact sync` does, in DuckDB or Postgres; dlt's own
    merge, which the source alone relies on, keeps none."""
    reference: tuple[str, ...] = REFERENCE
    """The tables of what surrounds the actions that a sync keeps up to date; `invoice_lines` come with `invoices`, and
    `partner_group_members` with `partner_groups`."""
    time_zone: str = ""
    """The IANA name of the zone whose days, weeks and months count; empty for the one that the account names."""
    actor: str = ""
    """Who is responsible for corrections, as recorded in the journal; by default the system's user."""
    custom_codes: tuple[str, ...] = ()
    """Reason and disposition codes that the account has configured in addition to the documented ones."""
    poll_interval: timedelta = timedelta(seconds=10)
    """The first wait before a submission is polled, and polled again; later ones are longer."""

    def __post_init__(self) -> None:
        """Refuse what could leak credentials or what the API would refuse."""
        _check_url(self.base_url)
        if self.page_size < PAGE_SIZE_MIN:
            msg = f"{SECTION}.page_size must be at least {PAGE_SIZE_MIN}, the API's minimum: {self.page_size}"
            raise ConfigurationError(msg)
        for name in (
            "overlap",
            "recheck_interval",
            "clearing_lookback",
            "max_wait",
            "retry_wait",
            "poll_interval",
            "items_max_requests",
        ):
            if (value := getattr(self, name)) is not None and value < type(value)(0):
                msg = f"{SECTION}.{name} must not be negative: {value}"
                raise ConfigurationError(msg)
        for name in ("requests_per_hour", "max_attempts", "package_rows", "item_concurrency"):
            if getattr(self, name) < 1:
                msg = f"{SECTION}.{name} must be at least 1: {getattr(self, name)}"
                raise ConfigurationError(msg)
        if self.items not in ITEM_SOURCES:
            msg = f"{SECTION}.items must be one of {', '.join(ITEM_SOURCES)}: {self.items}"
            raise ConfigurationError(msg)
        if unknown := [name for name in self.reference if name not in REFERENCE]:
            msg = f"{SECTION}.reference has no table {', '.join(unknown)}: it has {', '.join(REFERENCE)}"
            raise ConfigurationError(msg)
        if self.time_zone and not is_zone(self.time_zone):
            near = suggest_zone(self.time_zone) or "Europe/Berlin"
            msg = f"{SECTION}.time_zone must be the IANA name of a time zone, such as {near}: {self.time_zone!r}"
            raise ConfigurationError(msg)
        if self.item_concurrency > IN_FLIGHT_MAX:
            msg = f"{SECTION}.item_concurrency must be at most {IN_FLIGHT_MAX}: {self.item_concurrency}"
            raise ConfigurationError(msg)

    @property
    def zone(self) -> ZoneInfo:
        """The zone that `time_zone` names; UTC if it names none."""
        return ZoneInfo(self.time_zone or "UTC")

    @property
    def start(self) -> datetime | None:
        """The instant of `start_date`."""
        return start_of(self.start_date, self.zone) if self.start_date else None

    @property
    def account(self) -> str:
        """A fingerprint of the AccountSID: identifies the account without naming it."""
        return hashlib.sha256(self.account_sid.encode()).hexdigest()[:16]

    @property
    def masked_sid(self) -> str:
        """The AccountSID as it may be shown."""
        return mask(self.account_sid)

    @cached_property
    def masked(self) -> Mask:
        """Masks the credentials in texts that others wrote."""
        return Mask(self.account_sid, self.auth_token, self.masked_sid)

    @classmethod
    def resolve(cls, **overrides: Any) -> Settings:  # noqa: ANN401 - each value is checked against its field
        """Settings from dlt's configuration: environment, `.dlt/secrets.toml`, `.dlt/config.toml`.

        Raises `ConfigurationError` naming the key and how to set it.
        """
        values: dict[str, Any] = {}
        for name, kind in get_type_hints(cls).items():
            raw = overrides.get(name)
            if raw is None:
                # Values read as secrets stay out of dlt's traces, which are written to disk.
                accessor = dlt.secrets if name in _CREDENTIALS else dlt.config
                raw = accessor.get(f"{SECTION}.{name}")
            if isinstance(raw, str):
                raw = raw.strip(_BLANK)
            if raw is None or raw == "":
                if name in _CREDENTIALS:
                    raise ConfigurationError(explain_missing(SECTION, name))
                continue
            values[name] = _convert(name, kind, raw)
        return cls(**values)


def _check_url(base_url: str) -> None:
    """Raise if requests to it would send credentials unencrypted, or nowhere."""
    try:
        url = urlsplit(base_url)
        url.port  # noqa: B018 - parsed here, so that a bad one is found now
    except ValueError as error:
        msg = f"base_url cannot be read: {error}"
        raise ConfigurationError(msg) from None
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
        shown = f"{url.scheme or 'nothing'}://{url.hostname or ''}"
        msg = f"base_url must be https (plain http is for this machine's loopback alone), not {shown}"
        raise ConfigurationError(msg)
    if not url.hostname or url.username or url.password:
        msg = "base_url must name a host and carry no credentials: set account_sid and auth_token instead"
        raise ConfigurationError(msg)


def mask(sid: str) -> str:
    """An AccountSID with only its first four characters readable."""
    return f"{sid[:4]}…" if len(sid) > 8 else "…"  # noqa: PLR2004 - a short one would be shown completely


_READERS: Final[dict[object, tuple[Callable[[Any], Any], str]]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    int | None: (int, "a whole number"),
    timedelta: (parse_duration, 'a duration such as "1 day"'),
    date | None: (parse_bound, "a date or an ISO 8601 instant"),
    tuple[str, ...]: (parse_ids, "a list of ids or names"),
    bool: (parse_flag, "true or false"),
}


def _convert(name: str, kind: object, raw: Any) -> Any:  # noqa: ANN401 - the field's type decides
    reader, wanted = _READERS[kind]
    if isinstance(raw, date) and not isinstance(raw, datetime):  # TOML has dates without quotes
        raw = raw.isoformat()
    try:
        return reader(raw)
    except (ValueError, TypeError) as error:
        shown = "" if name in _CREDENTIALS else f": {raw!r}"
        msg = f"{SECTION}.{name} must be {wanted}{shown}"
        raise ConfigurationError(msg) from error

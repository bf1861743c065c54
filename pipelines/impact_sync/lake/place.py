"""Where the lake is, and this account's name in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import dlt
from impact_source.errors import ConfigurationError, ImpactError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_UNNAMED = (
    "the lake needs a name for this account, which goes into all its rows: "
    "`--account acme`, or impact.lake_account in .dlt/config.toml"
)
_NOWHERE = "no lake is configured: `impact publish s3://bucket/folder`, or impact.lake_url in .dlt/config.toml"


class LakeFailed(ImpactError):
    """The lake cannot be read or written."""


@dataclass(frozen=True)
class Lake:
    """A folder on object storage (or on disk) with a Delta table for each of ours, and one account's name in it."""

    url: str
    account: str
    options: dict[str, str] = field(default_factory=dict, repr=False)
    """Storage options in addition to the environment (for example AWS_ENDPOINT_URL); may hold credentials."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` if a value is not valid."""
        if not self.account:
            raise ConfigurationError(_UNNAMED)
        if not _NAME.fullmatch(self.account):
            msg = f"an account's name in the lake may have letters, digits, '_', '-' and '.': {self.account!r}"
            raise ConfigurationError(msg)
        parts = urlsplit(self.url)
        if parts.username or parts.password or parts.query:
            msg = "the lake's address must not contain credentials: use the environment or [impact.lake_options]"
            raise ConfigurationError(msg)

    def table(self, name: str) -> str:
        """The address of a table."""
        return f"{self.url.rstrip('/')}/{name}"


def resolve(url: str | None = None, account: str | None = None) -> Lake:
    """Return the lake that is named or configured. Raises `ConfigurationError` if there is none."""
    url = url or str(dlt.config.get("impact.lake_url") or "")
    if not url:
        raise ConfigurationError(_NOWHERE)
    account = account or str(dlt.config.get("impact.lake_account") or "")
    options: Any = dlt.secrets.get("impact.lake_options") or {}
    if not isinstance(options, dict):
        msg = "impact.lake_options must be a table of strings"
        raise ConfigurationError(msg)
    return Lake(url, account, {str(key): str(value) for key, value in options.items()})

"""Where the lake is, and under which name this account is in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import dlt
from impact_source.errors import ConfigurationError, ImpactError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_UNNAMED = (
    "the lake needs a name for this account, under which all its rows stand: "
    "`--account acme`, or impact.lake_account in .dlt/config.toml"
)
_NOWHERE = "no lake is configured: `impact publish s3://bucket/folder`, or impact.lake_url in .dlt/config.toml"


class LakeFailed(ImpactError):
    """The lake cannot be read or written."""


@dataclass(frozen=True)
class Lake:
    """A folder on object storage (or on disk) that holds one Delta table for each of ours, and one account in it."""

    url: str
    account: str
    options: dict[str, str] = field(default_factory=dict, repr=False)
    """What the storage needs beside the environment (AWS_ENDPOINT_URL, say); may hold credentials."""

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` where a value makes no sense."""
        if not self.account:
            raise ConfigurationError(_UNNAMED)
        if not _NAME.fullmatch(self.account):
            msg = f"an account's name in the lake is made of letters, digits, '_', '-' and '.': {self.account!r}"
            raise ConfigurationError(msg)
        parts = urlsplit(self.url)
        if parts.username or parts.password or parts.query:
            msg = "the lake's address holds no credentials: put them into the environment, or [impact.lake_options]"
            raise ConfigurationError(msg)

    def table(self, name: str) -> str:
        """The address of a table."""
        return f"{self.url.rstrip('/')}/{name}"


def resolve(url: str | None = None, account: str | None = None) -> Lake:
    """The lake that is named, or configured. Raises `ConfigurationError` where there is none."""
    url = url or str(dlt.config.get("impact.lake_url") or "")
    if not url:
        raise ConfigurationError(_NOWHERE)
    account = account or str(dlt.config.get("impact.lake_account") or "")
    options: Any = dlt.secrets.get("impact.lake_options") or {}
    if not isinstance(options, dict):
        msg = "impact.lake_options must be a table of texts"
        raise ConfigurationError(msg)
    return Lake(url, account, {str(key): str(value) for key, value in options.items()})

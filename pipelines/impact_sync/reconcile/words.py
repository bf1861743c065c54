"""What the user's statuses mean, and which reason codes corrections carry, as configured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import dlt
from impact_source.errors import ConfigurationError

STATUSES: Final = ("placed", "cancelled", "returned", "partly_returned")
REASONS: Final = {
    "returned": "ITEM_RETURNED",
    "cancelled": "OTHER",
    "partly_returned": "ITEM_RETURNED",
    "amount": "ORDER_UPDATE",
}
"""The codes of corrections unless others are configured; `amount` is a placed order with another amount."""
_STATUS_KEY, _REASON_KEY = "impact.order_statuses", "impact.order_reasons"


def statuses() -> dict[str, str]:
    """Our status by the user's, both in small letters with underscores. Raises `ConfigurationError`."""
    found = {name: name for name in STATUSES} | {"canceled": "cancelled"}
    for theirs, ours in _table(_STATUS_KEY).items():
        if _word(ours) not in STATUSES:
            msg = f"{_STATUS_KEY}.{theirs} is {ours!r}: it must be one of {', '.join(STATUSES)}"
            raise ConfigurationError(msg)
        found[_word(theirs)] = _word(ours)
    return found


def reasons() -> dict[str, str]:
    """The reason code by what it is for. Raises `ConfigurationError`."""
    given = _table(_REASON_KEY)
    if unknown := sorted(given.keys() - REASONS.keys()):
        msg = f"{_REASON_KEY} has no {', '.join(unknown)}: it has {', '.join(REASONS)}"
        raise ConfigurationError(msg)
    return REASONS | given


def explain_statuses(unknown: Mapping[str, int]) -> str:
    """What to do about statuses that nothing maps."""
    listed = ", ".join(f"{name!r} ({count:,} orders)" for name, count in unknown.items())
    return (
        f"the orders have statuses that are not mapped: {listed}. Say what they mean in .dlt/config.toml, under "
        f'[{_STATUS_KEY}], for example "{next(iter(unknown))}" = "returned"; a meaning is {", ".join(STATUSES)}'
    )


def _table(key: str) -> dict[str, str]:
    found: Any = dlt.config.get(key)
    if isinstance(found, str):  # from the environment
        try:
            found = json.loads(found)
        except ValueError:
            found = None if not found.strip() else found
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        msg = f'{key} must be a table, or in the environment JSON such as {{"refunded": "returned"}}'
        raise ConfigurationError(msg)
    return {str(name): str(value) for name, value in found.items()}


def _word(text: str) -> str:
    """As the macro `as_word` reads it."""
    return text.strip().replace(" ", "_").lower()

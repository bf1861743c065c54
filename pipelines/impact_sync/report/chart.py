"""A chart with its sentence, its caption and its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from .figures import Currency
from .tables import Table
from .vega import Spec

STAGES: Final = {"paid": "Paid", "locked": "Locked", "open": "Open", "reversed": "Reversed"}
"""The stages of a conversion, as `settlement` and as the page calls them, from the axis outwards."""


@dataclass(frozen=True)
class Chart:
    """A chart, or only its sentence if there is nothing to draw."""

    id: str
    title: str
    reading: str
    span: str
    """Which conversions it covers, if those are not the same as in its neighbours."""
    spec: Spec | None = None
    table: Table | None = field(default=None, repr=False)
    key: tuple[str, ...] = ()
    """The names of its colours."""


def id_of(kind: str, currency: Currency) -> str:
    """An id for the page: a currency can be any text that the API sends."""
    return f"{kind}-{(currency or 'none').encode().hex()}"

"""What a reconciliation is asked for: which orders, of which time, compared how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dlt
from impact_source.errors import ConfigurationError

from .comparison import IGNORABLE, Normalised
from .given import ITEMS, ORDERS, Given

_SELECT = re.compile(r"\s*(select|from|with)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Ask:
    """What to compare, and how."""

    orders: Given
    items: Given | None = None
    since: date | None = None
    until: date | None = None
    normalised: Normalised = field(default_factory=Normalised)
    referred: bool = False
    """Whether every order should have an action, unless the orders say which."""
    output: Path | None = None
    """A CSV file for all differences."""
    plans: bool = False


def asked(  # noqa: PLR0913 - one for each option
    orders: str | None,
    *,
    sql: str | None,
    database: str | None,
    items: str | None,
    maps: Sequence[str],
    since: date | None,
    until: date | None,
    ignored: Sequence[str],
    referred: bool,
    output: str | None,
    plans: bool,
) -> Ask:
    """What the options ask for. Raises `ConfigurationError`."""
    if (orders is None) == (sql is None):
        msg = "give either ORDERS, a CSV or Parquet file, or --sql"
        raise ConfigurationError(msg)
    address = database or dlt.secrets.get("impact.orders_database")
    given = _given(orders, sql, address, _renamed(maps, ORDERS))
    by_item = None
    if items is not None:
        query = _SELECT.match(items) and not Path(items).is_file()
        by_item = _given(None if query else items, items if query else None, address, _renamed(maps, ITEMS))
    if database and not (given.sql or (by_item and by_item.sql)):
        msg = "--database is asked by --sql or by a query as --items: there is neither"
        raise ConfigurationError(msg)
    return Ask(
        given,
        by_item,
        since,
        until,
        _normalised(ignored),
        referred,
        Path(output) if output else None,
        plans,
    )


def _given(file: str | None, sql: str | None, address: str | None, renamed: Mapping[str, str]) -> Given:
    return Given(Path(file), renamed=renamed) if file else Given(sql=sql, address=address, renamed=renamed)


def _renamed(maps: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """The user's names by ours, of those that a table may have; `items.sku=artikel` is for the items alone."""
    found = {}
    for one in maps:
        ours, equals, theirs = one.partition("=")
        of_items, name = ours.startswith("items."), ours.removeprefix("items.")
        if not equals or not theirs or name not in (ITEMS if of_items else ORDERS):
            msg = f"--map {one}: give ours=theirs; ours is one of {', '.join(ORDERS)}, or items. and {', '.join(ITEMS)}"
            raise ConfigurationError(msg)
        if of_items is (columns is ITEMS):
            found[name] = theirs.strip()
    return found


def _normalised(ignored: Sequence[str]) -> Normalised:
    prefixes = [one.removeprefix("prefix=") for one in ignored if one.startswith("prefix=")]
    others = [one for one in ignored if not one.startswith("prefix=")]
    if unknown := [one for one in others if one not in IGNORABLE]:
        msg = f"--ignore {unknown[0]}: it is one of {', '.join(IGNORABLE)}, prefix=TEXT"
        raise ConfigurationError(msg)
    if len(prefixes) > 1 or "" in prefixes:
        msg = "--ignore prefix=TEXT: give one text"
        raise ConfigurationError(msg)
    return Normalised(frozenset(others), *prefixes)

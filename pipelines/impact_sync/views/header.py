"""The header of a view's SQL: its question and grain, then a line for each column. The only place that describes them.

-- How is each partner doing? One row for each campaign, partner and currency.
--
-- actions_reversed: those that are reversed
-- amount: revenue of actions that are not reversed;
--   a line that is indented continues the one before
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import cast

import sqlglot
from impact_source.rows.columns import ACTION, Kind
from sqlglot import exp

_COLUMN = re.compile(r"^-- (\w+): (.+)$")
_MORE = "--   "
_EVERYWHERE = {
    **{column.name: column.description for column in ACTION if column.kind in (Kind.TEXT, Kind.TIME)},
    "action_id": "The action; joins actions.id",
    "actions": "Number of actions",
    "actions_reversed": "Number of those that are reversed",
    "as_of": "Every change up to this instant is here; what can still change is told as of it",
    "event_month": "Month of the EventDate in the account's calendar, as its first day",
}
"""What a column of this name means in every view that does not say otherwise."""


def comment(text: str) -> str:
    """The comment of a view: its question, its grain and what else concerns all of it; then a mark of its SQL."""
    return f"{about(text)} [{hashlib.sha256(text.encode()).hexdigest()[:12]}]"


def about(text: str) -> str:
    """What the header says of the view as a whole: its question, its grain and what else concerns all of it."""
    return " ".join(_split(text)[0])


@cache
def columns(text: str) -> dict[str, str]:
    """The columns of a view in their order, each with its description; none if it is not described."""
    known, query = descriptions(text), cast("exp.Query", sqlglot.parse_one(text, dialect="duckdb"))
    return {name: known.get(name, "") for name in query.named_selects}


def descriptions(text: str) -> dict[str, str]:
    """What is said of columns by name, of those that the view has and of others."""
    return _EVERYWHERE | described(text)


def described(text: str) -> dict[str, str]:
    """What the header itself says of columns, by name."""
    return _split(text)[1]


def _split(text: str) -> tuple[list[str], dict[str, str]]:
    whole: list[str] = []
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if not line.startswith("--"):
            break
        if match := _COLUMN.match(line):
            found[match[1]] = match[2]
        elif found and line.startswith(_MORE):
            found[next(reversed(found))] += f" {line.strip('- ')}"
        elif words := line.removeprefix("--").strip():
            whole.append(words)
    return whole, found

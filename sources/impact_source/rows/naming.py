"""Names the column of an undeclared field of the API: the one place where columns are named."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from dlt.common.normalizers.naming.snake_case import NamingConvention

_LONGEST: Final = 63
"""The limit of Postgres; dlt puts a hash into the middle of a longer name, the same in every warehouse."""
LAKE: Final = frozenset({"account", "row_hash", "_gone"})
"""Columns that every table in a lake has in addition to its own."""
HISTORY: Final = frozenset({"valid_from", "valid_to", "pass", "changed"})
"""Columns of ours in histories; rows have some of them."""
_OURS: Final = LAKE | HISTORY | {"synced_at", "action_id", "line_count", "known_by", "removed"}
_DLT: Final = "_dlt"
"""How the names begin that dlt reserves for itself."""
_SUFFIX: Final = "_x"
_FOREIGN_DIGIT: Final = re.compile(r"[^\D0-9]")
"""dlt keeps the digits of every script, which not every warehouse allows in a name."""
_naming = NamingConvention(_LONGEST)


def snake_case(field: str) -> str:
    """The column of a declared field whose name is free."""
    return _naming.normalize_identifier(field)


def column_name(field: str, taken: Collection[str]) -> str:
    """The column of a field: in snake_case, at most 63 characters; not one of ours, of dlt's or of those `taken`.

    A name that is not free gets a suffix.
    """
    text = _FOREIGN_DIGIT.sub("_", field) if field.strip() else "unnamed"
    name = _naming.normalize_identifier(text)
    if name.startswith(_DLT):
        text = name = name.lstrip("_") + _SUFFIX
    while name in _OURS or name in taken:
        text += _SUFFIX
        name = _naming.normalize_identifier(text)
    return name

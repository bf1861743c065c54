"""SQL that renders versions of actions and items as the API's records: JSON in both wire formats, or plain strings."""

from collections.abc import Sequence
from datetime import datetime

from .fields import ACTION_FIELDS, ESCAPED, ITEM_FIELDS, Field
from .rules import Rules
from .times import sql_time

_VERSIONS = "versions"
_ACTION_TABLES = """
FROM {versions} v JOIN actions a ON a.n = v.n JOIN campaigns c ON c.serial = v.serial CROSS JOIN settings s
"""
ITEM_TABLES = """
FROM items i JOIN actions a ON a.n = i.n LEFT JOIN products p ON p.place = i.product CROSS JOIN settings s
"""
NEW_FIELDS = {"LoyaltyTier": "GOLD", "AttributionModel": "LAST_CLICK"}
"""What `Rules.unknown_fields` adds to every record."""


def action_tables(versions: str = _VERSIONS) -> str:
    """Return the SQL for the tables of an action's fields, over all versions or those selected by a subquery."""
    return _ACTION_TABLES.format(versions=versions)


def shown_state(rules: Rules, now: datetime) -> str:
    """Return the SQL for the state that a version shows at an instant."""
    if not rules.unknown_states:
        return "v.state"
    return (
        "CASE WHEN v.state = 'APPROVED' AND v.cleared IS NOT NULL THEN 'PAID' "
        f"WHEN v.state = 'APPROVED' AND v.locking <= {sql_time(now)} THEN 'LOCKED' ELSE v.state END"
    )


def action_json(rules: Rules, now: datetime, *, typed: bool) -> str:
    """Return the SQL for an action's record as the text of a JSON object."""
    state = shown_state(rules, now)
    pieces = ["'{'"]
    for place, field in enumerate(ACTION_FIELDS):
        name = f'{"," if place else ""}"{field.name}":'
        pieces += _typed_pieces(name, field, state) if typed else _string_pieces(name, field, state)
    whole = f"concat({', '.join(pieces)}, '}}')"
    record = "v.typed" if typed else "v.record"
    if rules.unknown_states:
        record = f"""replace({record}, concat('"State":"', v.state, '"'), concat('"State":"', {state}, '"'))"""
    whole = f"CASE WHEN v.record IS NULL THEN {whole} ELSE {record} END"
    extra = new_fields(rules, now)
    if extra:
        more = "".join(f',"{name}":"{value}"' for name, value in extra.items())
        whole = f"concat({whole}[:-2], '{more}}}')"
    return whole


def new_fields(rules: Rules, now: datetime) -> dict[str, str]:
    """Return the undocumented fields that records carry at an instant."""
    return NEW_FIELDS if rules.unknown_fields and rules.unknown_fields <= now else {}


def action_strings(rules: Rules, now: datetime, extras: Sequence[str] = ()) -> str:
    """Return the SQL for an action's fields as columns of raw strings, then those of manual records."""
    state = shown_state(rules, now)
    columns = [_column("v", field, state) for field in ACTION_FIELDS]
    documented = {field.name for field in ACTION_FIELDS}
    columns += [_extra_column("v", name) for name in extras if name not in documented]
    columns += [f"'{value}' AS \"{name}\"" for name, value in new_fields(rules, now).items()]
    return ", ".join(columns)


def item_strings(extras: Sequence[str] = ()) -> str:
    """Return the SQL for an item's fields as columns of raw strings, then those of manual records."""
    columns = [_column("i", field, "") for field in ITEM_FIELDS]
    documented = {field.name for field in ITEM_FIELDS}
    return ", ".join(columns + [_extra_column("i", name) for name in extras if name not in documented])


def generated_item_strings() -> str:
    """Return the SQL for the fields of generated items alone."""
    return ", ".join(f'{field.text_sql} AS "{field.name}"' for field in ITEM_FIELDS)


def _column(alias: str, field: Field, state: str) -> str:
    by_hand = state if field.name == "State" else f"({alias}.record->>'$.{field.name}')"
    generated = _string(field, state)
    return f'CASE WHEN {alias}.record IS NULL THEN {generated} ELSE {by_hand} END AS "{field.name}"'


def _extra_column(alias: str, name: str) -> str:
    path, quoted = name.replace("'", "''"), name.replace('"', '""')
    return f'{alias}.record->>\'$."{path}"\' AS "{quoted}"'


def _string(field: Field, state: str) -> str:
    return state if field.name == "State" else field.text_sql


def _string_pieces(name: str, field: Field, state: str) -> list[str]:
    if field.name in ESCAPED:
        return [f"'{name}'", f"to_json({field.sql})"]
    return [f"""'{name}"'""", _string(field, state), "'\"'"]


def _typed_pieces(name: str, field: Field, state: str) -> list[str]:
    if field.kind == "time":
        quoted = f"""concat('"', typed_time({field.sql}), '"')"""
        return [f"'{name}'", f"CASE WHEN {field.sql} IS NULL THEN 'null' ELSE {quoted} END"]
    if field.kind == "number":
        return [f"'{name}'", field.sql]
    return _string_pieces(name, field, state)

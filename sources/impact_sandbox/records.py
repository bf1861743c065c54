"""Manual records: raw strings, and their JSON in the two wire formats."""

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import msgspec

from .fields import KINDS
from .times import parse_time, typed_time

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
CENT = Decimal("0.01")

Record = dict[str, str]


def strings_json(record: Mapping[str, object]) -> str:
    """Write a record as the string wire format does."""
    return msgspec.json.encode(record).decode()


def typed_json(record: Mapping[str, object]) -> str:
    """Write a record in the typed wire format: null for none; anything not a number or date stays as it is."""
    return msgspec.json.encode({name: _typed(name, value) for name, value in record.items()}).decode()


def _typed(name: str, value: object) -> object:
    if isinstance(value, list):
        return [_typed(name, one) for one in value]
    if isinstance(value, Mapping):
        return {inner: _typed(inner, one) for inner, one in value.items()}
    return _typed_text(name, str(value))


def _typed_text(name: str, value: str) -> object:
    kind = KINDS.get(name, "text")
    if kind == "number" and _NUMBER.fullmatch(value):
        return msgspec.Raw(value.encode())
    if kind == "number":
        return value or None
    if kind == "time":
        instant = parse_time(value)
        return typed_time(instant) if instant else value or None
    return value


def read_record(text: str) -> Record:
    """Read a record from its string wire format."""
    return msgspec.json.decode(text, type=Record)


def amount(text: str | None) -> Decimal | None:
    """Read an amount of money; None if it is not one."""
    try:
        return Decimal(text or "")
    except InvalidOperation:
        return None


def cents(value: Decimal) -> str:
    """Write an amount of money rounded to cents."""
    return str(value.quantize(CENT, ROUND_HALF_UP))


def deltas(old: Mapping[str, str], new: Mapping[str, str]) -> Record:
    """Return the differences in Amount and Payout that new values make, if both are numbers."""
    changes = {}
    for name in ("Amount", "Payout"):
        was, becomes = amount(old.get(name)), amount(new.get(name))
        if was is not None and becomes is not None:
            changes[f"Delta{name}"] = str(becomes - was)
    return changes


def spread(items: Sequence[Record], sold: str, paid: str, adjusted: Mapping[str, str]) -> list[Record]:
    """Spread an action's amounts over its items in proportion, the remainder on the last; `adjusted` marks changes."""
    result = [dict(item) for item in items]
    for name, whole in (("SaleAmount", amount(sold)), ("Payout", amount(paid))):
        parts = [part for item in items if (part := amount(item[name])) is not None]
        if whole is None or not parts or len(parts) < len(items) or sum(parts) == whole:
            continue
        total = sum(parts)
        shares = [Decimal(cents(whole * part / total if total else Decimal(0))) for part in parts[:-1]]
        for item, share in zip(result, [*shares, whole - sum(shares)], strict=True):
            item |= {name: str(share), **adjusted}
    return result

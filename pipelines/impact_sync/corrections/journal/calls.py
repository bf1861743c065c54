"""Calls: the lines of one action, and the one request that they are sent as."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from impact_source.api.changes import RESET, ItemChange, Request, Reversal, Target, Update, Write

from .columns import Correction, Status


@dataclass(frozen=True)
class Call:
    """Rows of the journal that share a request."""

    rows: tuple[Correction, ...]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.first.call_id)

    @property
    def first(self) -> Correction:
        """The values that its rows share, from the first row."""
        return self.rows[0]

    @property
    def action_id(self) -> str:
        """The action that it changes."""
        return str(self.first.action_id)

    @property
    def status(self) -> str:
        """Its status."""
        return str(self.first.status)

    @property
    def items(self) -> tuple[Correction, ...]:
        """The rows that are about an item."""
        return tuple(row for row in self.rows if row.sku is not None)

    @property
    def resets(self) -> bool:
        """Whether it undoes every earlier change."""
        return bool(self.first.kind == "update" and self.first.reason == RESET)

    @property
    def diverged(self) -> bool:
        """Whether a row of it was processed but the action shows something else."""
        return any(row.status == Status.DIVERGED for row in self.rows)

    @property
    def touched(self) -> Decimal:
        """How much commission is at stake."""
        return sum((row.commission_touched or Decimal(0) for row in self.rows), Decimal(0))

    @property
    def lines(self) -> str:
        """Its lines in words."""
        return ", ".join(str(row.line) for row in self.rows)

    def having(self, **columns: Any) -> Call:  # noqa: ANN401 - of any type
        """The call with other values in all of its rows."""
        return Call(tuple(replace(row, **columns) for row in self.rows))

    @property
    def request(self) -> Request:
        """The request as shown and stored: exactly this is sent."""
        return Request.parse(str(self.first.request))

    def change(self) -> Write:
        """The change that its rows request; planning builds its `request` from it."""
        target, first = Target(self.action_id), self.first
        if first.kind == "reverse":
            return Reversal(target, first.reason)
        own = [row for row in self.rows if row.sku is None and not self.resets]
        return Update(
            target,
            first.reason,
            amount=next((row.new_amount for row in own if row.new_amount is not None), None),
            customer_status=next((r.new_customer_status for r in self.rows if r.new_customer_status), None),
            items=tuple(_item(row) for row in self.items),
            disposition_code=next((row.disposition_code for row in self.rows if row.disposition_code), None),
        )


def _item(row: Correction) -> ItemChange:
    relative = row.delta is not None
    return ItemChange(
        row.sku or "",
        row.new_quantity,
        row.new_category,
        None if relative else row.new_amount,
        row.delta,
    )


def same_form(form: str, payload: str) -> bool:
    """Whether a submission's payload is the form of a request."""
    return sorted(parse_qsl(form, keep_blank_values=True)) == sorted(parse_qsl(payload, keep_blank_values=True))


def calls_of(rows: Iterable[Correction]) -> list[Call]:
    """Rows, sorted by call, grouped into calls."""
    return [Call(tuple(group)) for _, group in groupby(rows, key=lambda row: row.call_id)]

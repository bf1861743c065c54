"""Accounts whose actions are corrected, and the files that request it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from impact_sandbox import Request
from impact_sync.corrections.apply.run import Applied, apply
from impact_sync.corrections.plan.run import Plan, Source, plan

from tests.support.account import Account

HEADER = "action_id,kind,reason,sku,amount,delta,quantity,category,customer_status,currency,note"
TWO_ITEMS = (
    {"Sku": "A/B 1", "SaleAmount": "20.00", "Payout": "2.00", "Quantity": "2", "Category": "Balls"},
    {"Sku": "TEE", "SaleAmount": "10.00", "Payout": "0.50", "Quantity": "1"},
)
Row = dict[str, Any]


class Desk:
    """One account, in whose journal corrections are planned and applied."""

    def __init__(self, account: Account) -> None:
        self.account, self.world, self.sandbox = account, account.world, account.sandbox

    def create(self, **fields: Any) -> str:  # noqa: ANN401 - any field
        """An action of 30.00, commission 2.50, with two items, recorded now."""
        return self.world.create(**({"items": TWO_ITEMS} | fields))

    def sync(self) -> None:
        """Bring the warehouse up to date, items included."""
        if self.account.path.exists():
            self.account.sync(items_max_requests=None)
        else:
            self.account.first_sync(items_max_requests=None)
        self.sandbox.requests.clear()

    def file(self, text: str, name: str = "asked.csv") -> Path:
        """A file with this text."""
        path = self.account.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def ask(self, *lines: str) -> Path:
        """A file with the usual header and these lines."""
        return self.file("\n".join([HEADER, *lines]) + "\n")

    def settings(self, **changes: Any) -> Any:  # noqa: ANN401 - any setting
        """Settings whose polls do not wait."""
        return self.account.settings(**({"poll_interval": timedelta(0), "actor": "Finance"} | changes))

    def plan(self, *lines: str, skip_invalid: bool = False, **changes: Any) -> Plan:  # noqa: ANN401 - any setting
        """Plan these lines, a minute later: the sandbox's clock stands, while what came before took time by ours."""
        self.world.advance(seconds=60)
        return plan(self.settings(**changes), Source(self.ask(*lines)), skip_invalid=skip_invalid)

    def planned(self, *lines: str, **changes: Any) -> str:  # noqa: ANN401 - any setting
        """The id of a plan of these lines, all of which must be valid."""
        found = self.plan(*lines, **changes)
        assert found.id, found.invalid
        return found.id

    def problems(self, *lines: str, **changes: Any) -> dict[int, str]:  # noqa: ANN401 - any setting
        """What is wrong with these lines, by line; the first one is line 2."""
        return {one.line: one.problem for one in self.plan(*lines, **changes).invalid}

    def apply(self, plan_id: str, *, limit_amount: Any = None, **changes: Any) -> Applied:  # noqa: ANN401 - any setting
        """Apply a plan. That takes time by our clock while the sandbox's stands: what has to be over needs more."""
        return apply(self.settings(**changes), plan_id, limit_amount=limit_amount)

    def journal(self, columns: str = "status, outcome", where: str = "true") -> list[tuple[Any, ...]]:
        """Columns of the journal, in the order of its lines."""
        return self.account.query(f"select {columns} from impact.corrections where {where} order by planned_at, line")

    def statuses(self) -> list[str]:
        """Status of each correction, in the order of their lines."""
        return [row[0] for row in self.journal("status")]

    @property
    def writes(self) -> list[Request]:
        """The changes that the sandbox received, whatever became of them."""
        return self.sandbox.writes

    def shown(self, action_id: str) -> Row:
        """The action as the API shows it."""
        row: Row = next(row for row in self.world.truth().to_pylist() if row["Id"] == action_id)
        return row

"""The life of one small account, played for each release when it is made and for today's program at the takeover.

Imports nothing of ours: the sandbox that plays it may be a release's own. Releases have played what is written here:
add at the end, and change nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

WORLD: dict[str, Any] = {"seed": 7, "days": 20, "per_day": 3}
START_DATE = "2025-12-20"
PLAN = "PLAN"
"""Stands for the id of the plan that was stored last."""
_HEADER = "action_id,kind,reason,sku,amount,delta,quantity,category,customer_status,currency,note"
_ITEMS = (
    {"Sku": "A/B 1", "SaleAmount": "20.00", "Payout": "2.00", "Quantity": "2", "Category": "Balls"},
    {"Sku": "TEE", "SaleAmount": "10.00", "Payout": "0.50", "Quantity": "1"},
)


@dataclass(frozen=True)
class Chapter:
    """What to run once the account has changed: commands with their exit codes, and the files that they name."""

    commands: tuple[tuple[int, tuple[str, ...]], ...]
    files: dict[str, str] = field(default_factory=dict)


@dataclass
class Cast:
    """Actions that something happens to."""

    total: str = ""
    items: str = ""
    fraud: str = ""
    """These three are corrected."""
    later: str = ""
    """One whose correction is planned and was never sent."""
    moved: str = ""
    """One whose amount and items change, twice."""
    gone: str = ""
    """One that the API stops returning."""
    odd: str = ""
    """One with items that cannot be read."""


def live(world: Any, cast: Cast) -> Iterator[Chapter]:  # noqa: ANN401 - a release's own
    """Change the account chapter by chapter; yields each chapter when its commands are to run."""
    sync = (0, ("sync",))
    cast.total, cast.items, cast.fraud, cast.later, cast.moved, cast.gone = (
        world.create(items=_ITEMS, Note=f"number {number}") for number in range(6)
    )
    cast.odd = world.create(items=({"Sku": "ODD", "SaleAmount": "5.00", "Payout": "0.40", "Quantity": "many"},))
    yield Chapter(((1, ("sync",)),))  # those items go to `rejected_records`

    world.advance(days=2)
    world.modify(cast.moved, Amount="40.00", Payout="3.30")
    world.reverse(cast.later)
    yield Chapter((sync,))

    world.advance(days=3)
    world.restore(cast.later)
    world.set_item(cast.moved, "TEE", Quantity="3", SaleAmount="30.00")
    world.remove(cast.gone)
    yield Chapter((sync,))

    world.advance(hours=1)
    asked = (
        f"{cast.total},update,ORDER_UPDATE,,15.00,,,,,USD,price match",
        f"{cast.items},update,ITEM_RETURNED,A/B 1,,,1,,,,one came back",
        f"{cast.items},update,ITEM_RETURNED,TEE,4.00,,,Shirts,,,",
        f"{cast.fraud},reverse,CONS_FRAUD,,,,,,,,charged back",
    )
    apply = (0, ("corrections", "apply", PLAN, "--yes"))
    yield Chapter(((0, ("corrections", "plan", "sent.csv")), apply), {"sent.csv": _file(*asked)})

    world.advance(days=1)
    pending = _file(f"{cast.later},update,ORDER_UPDATE,,12.00,,,,,,")
    yield Chapter((sync, (0, ("corrections", "plan", "pending.csv"))), {"pending.csv": pending})

    world.advance(hours=1)
    yield Chapter(((1, ("verify",)), (0, ("verify", "--repair"))))  # an action is gone


def _file(*lines: str) -> str:
    return "\n".join([_HEADER, *lines]) + "\n"

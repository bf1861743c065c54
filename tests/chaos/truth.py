"""Compares the warehouse with the sandbox's truth, and makes manual changes between two comparisons."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.support.account import Account


@dataclass
class Damage:
    """What the warehouse lacked or held twice, and whatever else should not have happened."""

    checks: int = 0
    """Comparisons of the complete warehouse with the truth."""
    rows_lost: int = 0
    rows_doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def none(self) -> bool:
        """Whether nothing was found."""
        return not (self.rows_lost or self.rows_doubled or self.wrong)

    def compare(self, account: Account) -> None:
        """Compare all actions and items, every column."""
        self.checks += 1
        self.rows_lost += len(account.truth().keys() - account.held().keys())
        self.rows_lost += len(account.item_truth().keys() - account.held_items().keys())
        for table, key in (("actions", "id"), ("action_items", "(action_id, sku)"), ("item_fetches", "action_id")):
            ((doubled,),) = account.query(f"select count(*) - count(distinct {key}) from impact.{table}")
            self.rows_doubled += doubled
        try:
            account.assert_true()
            account.assert_items_true()
        except AssertionError as error:
            self.wrong.append(str(error))


def change_some(account: Account, random: Random) -> None:
    """Change some actions by hand; some of these changes leave no date."""
    world = account.world
    pending = sorted(i for i, row in account.truth().items() if row["state"] == "PENDING")
    for action in random.sample(pending, min(6, len(pending))):
        touches = random.random() < 0.5
        match random.randrange(4):
            case 0:
                world.modify(action, touches=touches, Amount=f"{random.randint(1, 99)}.50")
            case 1:
                world.reverse(action, touches=touches)
            case 2:
                world.approve(action)
            case _:
                world.set_item(action, "EXTRA", SaleAmount="5.00", Category=f"{random.random()}")

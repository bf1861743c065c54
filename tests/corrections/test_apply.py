"""A plan that is applied: what is sent, what the journal says of it, and what the warehouse holds then."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.exits import Exit
from tests.corrections.conftest import Desk

Make = Callable[..., Desk]


def test_a_plan_is_sent_once_and_its_effect_is_in_the_warehouse(desk: Make) -> None:
    """Updates, items, relative changes and reversals take effect, each by one call, and the warehouse shows them."""
    one = desk()
    total, items, refund, fraud, known = (one.create() for _ in range(5))
    one.sync()
    plan_id = one.planned(
        f"{total},update,ORDER_UPDATE,,15.00,,,,,USD,price match",
        f"{items},update,ITEM_RETURNED,A/B 1,,,1,,,,one came back",
        f"{items},update,ITEM_RETURNED,TEE,4.00,,,Shirts,,,",
        f"{refund},update,ORDER_UPDATE,TEE,,-2.50,,,,,",
        f"{fraud},reverse,CONS_FRAUD,,,,,,,,charged back",
        f"{known},update,ORDER_UPDATE,,,,,,EXISTING,,",
    )
    assert one.writes == []
    applied = one.apply(plan_id)
    assert applied.error is None
    assert applied.exit is Exit.DONE, one.journal()
    assert one.statuses() == ["confirmed"] * 6
    assert [request.method for request in one.writes] == ["PUT", "PUT", "PUT", "DELETE", "PUT"]
    assert one.writes[1].form == {
        "ActionId": items,
        "Reason": "ITEM_RETURNED",
        "Sku": "A/B 1",
        "Quantity": "1",
        "Sku2": "TEE",
        "Category2": "Shirts",
        "Amount2": "4",
    }
    assert [one.shown(a)["Amount"] for a in (total, items, refund)] == ["15.00", "14.00", "27.50"]
    assert one.shown(fraud)["State"] == "REVERSED"
    one.account.assert_true()
    one.account.assert_items_true()

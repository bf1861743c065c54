"""What an action says of a processed call, and how long it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from impact_source.api.changes import RESET
from impact_source.plan.gone import Gone
from impact_sync.corrections.apply.verdicts import gravity, judge, shows_until, uncertain
from impact_sync.corrections.journal.calls import Call
from impact_sync.corrections.journal.columns import NAMES, Correction, Status
from impact_sync.corrections.live import Live

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def row(**columns: Any) -> Correction:  # noqa: ANN401 - any column
    """A line that sets the amount of an action to 10.00."""
    blank: dict[str, Any] = dict.fromkeys(NAMES)
    return Correction(**(blank | {"kind": "update", "reverses": False, "new_amount": Decimal(10)} | columns))


def live(**columns: Any) -> Live:  # noqa: ANN401 - any column
    """The action, which shows an amount of 10.00."""
    return Live({"state": "PENDING", "amount": Decimal(10), "customer_status": "NEW"} | columns, {})


def test_an_unknown_action_is_gone_after_a_day() -> None:
    """Until then a lagging replica may not know it, and the text says when that is over."""
    gone = Gone(NOW, NOW)
    certain = NOW + 24 * HOUR
    assert uncertain(gone, certain - SECOND) == (
        "the API does not know the action, as it may do for a while where it lags behind: "
        "not taken for gone before 2026-03-02 12:00 UTC"
    )
    assert uncertain(gone, certain) is None
    assert uncertain(gone, certain + SECOND) is None


def test_a_processed_change_may_show_late() -> None:
    """Within an hour after it was processed, or after now if that is not known."""
    assert shows_until(Call((row(processed_at=NOW - HOUR),)), NOW) == NOW
    assert shows_until(Call((row(),)), NOW) == NOW + HOUR


def test_each_row_of_a_call_has_its_own_end() -> None:
    """Confirmed where the action shows what was requested, else diverged, with the difference."""
    right, wrong = row(line=2), row(line=3, new_customer_status="VIP")
    assert judge(Call((right, wrong)), live()) == [
        (right, Status.CONFIRMED, "the action shows it"),
        (wrong, Status.DIVERGED, "customer_status is NEW instead of VIP"),
    ]
    assert judge(Call((right, wrong)), None) == [
        (right, Status.DIVERGED, "the action is gone"),
        (wrong, Status.DIVERGED, "the action is gone"),
    ]


def test_what_the_call_requests_as_a_whole_counts_for_each_row() -> None:
    """After a reset the action has to show the amount that was intended first, whatever the row says."""
    reset = row(reason=RESET, new_amount=None)
    ((_, status, _),) = judge(Call((reset,)), live(intended_amount=Decimal(30)))
    assert status is Status.DIVERGED


def test_a_call_ends_like_its_worst_row() -> None:
    """A diverged row outweighs confirmed ones; no other status is an end of a processed call."""
    assert max([Status.CONFIRMED, Status.DIVERGED, Status.CONFIRMED], key=gravity) is Status.DIVERGED
    assert gravity(Status.CONFIRMED) < gravity(Status.DIVERGED)
    with pytest.raises(ValueError, match="not in tuple"):
        gravity(Status.PLANNED)

"""What must hold of the figures of every warehouse, whatever has happened to its account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

Query = Callable[[str], list[tuple[Any, ...]]]
_BUCKET = " and ".join(
    f"coalesce(cast(a.{name} as varchar), '') = coalesce(cast(r.{name} as varchar), '')"
    for name in ("media_partner_id", "currency", "month")
)


def assert_rolls_forward(query: Query) -> None:
    """Between any two instants, opening and changes add up to closing; both are what was accrued then."""
    ((first, last),) = query("select min(valid_from), max(valid_from) from impact.action_history")
    if first is None:
        return
    instants = [_text(first), _text(first + (last - first) / 2), _text(last)]
    before = "2000-01-01T00:00:00Z"
    for opens, closes in ((before, instants[0]), (instants[0], instants[1]), (instants[1], instants[2])):
        rolled = f"impact.roll_forward('{opens}', '{closes}')"
        moved = "opening + arrivals + corrections + restorations - reversals"
        assert query(f"select * from {rolled} where {moved} <> closing") == []
        for column, at in (("opening", opens), ("closing", closes)):
            differing = f"select * from {rolled} r full join impact.accrued_at('{at}') a on {_BUCKET} "
            differing += f"where coalesce(r.{column}, 0) <> coalesce(a.accrued, 0)"
            assert query(differing) == []
    by_stage = "select coalesce(sum(case when stage = '{0}' then payout end), 0) from impact.settlement"
    stages = ", ".join(f"({by_stage.format(stage)})" for stage in ("open", "locked", "paid"))
    known = "select coalesce(sum(open), 0), coalesce(sum(locked), 0), coalesce(sum(paid), 0) "
    assert query(f"select {stages}") == query(f"{known} from impact.accrued_at('9000-01-01')")


def _text(moment: datetime) -> str:
    return moment.isoformat()

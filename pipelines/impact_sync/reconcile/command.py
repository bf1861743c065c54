"""`impact reconcile`: compares, shows what differs, stores a plan of what can be corrected."""

from __future__ import annotations

import pyarrow as pa
from impact_source import Settings

from ..console.exits import Exit
from ..corrections.plan.request import COLUMNS
from ..corrections.plan.run import Plan, Source, plan
from ..corrections.show import show_plan
from .asking import Ask
from .run import Found, reconcile
from .show import show


def run(ask: Ask) -> int:
    """Compare, show what differs, plan what can be corrected if asked, return the exit code."""
    settings = Settings.resolve() if ask.plans else None  # what is missing there is said before anything is done
    found = reconcile(ask)
    show(found, ask)
    if settings is not None and len(found.planned):
        show_plan(store_plan(settings, ask, found))
    return Exit.DRIFT if found.head["correctable"] else Exit.DONE


def store_plan(settings: Settings, ask: Ask, found: Found) -> Plan:
    """Store a plan of what can be corrected, checked as any other."""
    rows = found.planned.append_column("line", pa.array(range(1, len(found.planned) + 1), pa.int64()))
    for name in COLUMNS:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(len(rows), pa.string()))
    name = f"reconciliation {found.head['run_id']} of {ask.orders}"
    return plan(settings, Source(rows=rows.select(["line", *COLUMNS]), name=name), skip_invalid=True)

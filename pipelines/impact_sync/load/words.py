"""The progress of reading actions and items, in words for the screen."""

from __future__ import annotations

from impact_source.actions.runner import Progress
from impact_source.items.run import ItemProgress
from impact_source.shown import visible

from ..console.screen import Step, duration


def in_words(step: Progress | ItemProgress) -> Step:
    """A step of reading windows or items."""
    if isinstance(step, Progress):
        said = f"{step.rows:,} actions · {step.requests_left:,} requests left"
        what = visible(f"campaign {step.campaign_id}, {step.pass_}")
        return Step(what, "window", step.windows_done, step.windows, said)
    rate, left = step.per_second, duration((step.of - step.done) / max(step.per_second, 1e-3))
    said = f"{rate:,.1f} a second · {left} to go · {step.requests_left:,} requests left"
    if step.waiting > step.of:
        said += f" · {step.waiting - step.of:,} queued for later hours"
    return Step("items", "action", step.done, step.of, said)

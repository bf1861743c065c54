"""What every run shows, in words for the screen: progress, and what is known of change feeds."""

from __future__ import annotations

from impact_source.actions.runner import Progress
from impact_source.items.feed.proof import ENOUGH, Verdict
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
        said += f" · {step.waiting - step.of:,} lists queued for later hours"
    return Step("items", "action", step.done, step.of, said)


def describe_feed(campaign_id: str, status: str, agreed: int, example: str | None) -> str:
    """What is known of a campaign's change feed, as in `item_feeds`, and what to do about it."""
    feed, why = f"The change feed of campaign {campaign_id}", (example or "").rstrip(".")
    match Verdict(status):
        case Verdict.PROVEN:
            return f"{feed} is proven: {agreed:,} lists of items agree with it, and items are derived from it."
        case Verdict.CONTRADICTED:
            return (
                f"{feed} contradicts a list of items: {why}. Items come from lists only. If that was an exception, "
                f"`impact items --prove-feed {campaign_id}` compares again."
            )
        case Verdict.REFUSED:
            return (
                f"{feed} cannot be read: {why}. Items come from lists only. Every sync tries again; "
                'items = "exact" stops that.'
            )
    if why:
        return f"{feed} is of no use for items: {why}. Items come from lists only; nothing is wrong with them."
    return f"{feed} is not proven yet: {agreed:,} of {ENOUGH} lists of items agree; `impact items` requests more."

"""Corrections that wait for a decision: what happened to them, what may be decided, and what was."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from impact_source import Settings
from impact_source.errors import ConfigurationError

from ..console.exits import Exit
from ..console.screen import console, table
from .apply import resolve as resolving
from .apply.run import ended
from .asking import agreed
from .journal.columns import Status
from .status import status
from .tables import MOST, more


def run_resolve(  # noqa: PLR0913 - one for each option
    plan_id: str | None,
    lines: Collection[int],
    verdict: str | None,
    note: str,
    *,
    from_file: bool,
    to_file: bool,
    yes: bool,
) -> int:
    """Look once more at what waits; if there is a verdict, record it."""
    settings = Settings.resolve()
    if to_file:
        if from_file or plan_id is not None or verdict is not None:
            msg = "--to-file stands alone: name no plan, no --as and no --from-file with it"
            raise ConfigurationError(msg)
        return _rewrite_file(yes=yes)
    if from_file:
        console().print(f"{resolving.from_file():,} corrections restored from the journal file.")
        if plan_id is None:
            return Exit.DONE
    if plan_id is None:
        msg = "name a plan: `impact corrections status` lists them"
        raise ConfigurationError(msg)
    if verdict is not None:
        chosen = Status(verdict)
        if chosen is Status.PLANNED and not yes and not _agreed_to_send_again():
            console().print("Nothing was changed.")
            return Exit.EARLY
        settled = resolving.settle(settings, plan_id, lines, chosen, note)
        said = resolving.VERDICTS[chosen]
        console().print(f"{sum(len(call.rows) for call in settled):,} corrections: {said}.")
        return ended(status(plan_id).calls)
    left = resolving.look(settings, plan_id)
    if not left:
        console().print("Nothing waits for a decision.")
        return ended(status(plan_id).calls)
    _show_waiting(plan_id, left)
    return Exit.DRIFT


def _show_waiting(plan_id: str, left: Sequence[resolving.Waiting]) -> None:
    rows = table(
        f"Plan {plan_id} waits for your decision",
        "lines",
        "action",
        "request",
        "what happened",
        "the action now",
        texts=("request", "what happened", "the action now"),
    )
    for one in left[:MOST]:
        first = one.call.first
        shows = one.shows or "shows what was asked"
        rows.add_row(one.call.lines, one.call.action_id, first.request, first.outcome or "", shows)
    console().print(rows)
    more(len(left) - MOST, f"impact corrections status {plan_id}")
    for name, means in resolving.VERDICTS.items():
        console().print(f"--as {name}: {means}.")


def _rewrite_file(*, yes: bool) -> int:
    """Write the journal file again if a person is sure that it is lost."""
    danger = "if the file was moved, or corrections are sent from another copy of this database, they may be sent twice"
    if not yes and not _agreed_to_risk(danger, "it is lost and there is no other copy", f"{danger.capitalize()}."):
        console().print("Nothing was changed.")
        return Exit.EARLY
    console().print(f"What the database knows is in {resolving.to_file()} again.", soft_wrap=True)
    return Exit.DONE


def _agreed_to_send_again() -> bool:
    return _agreed_to_risk(
        "a call that took effect would take effect twice",
        "none did",
        "If one of these took effect, sending it again takes effect twice.",
    )


def _agreed_to_risk(danger: str, sure_of: str, said: str) -> bool:
    if not sys.stdin.isatty():
        msg = f"{danger}: pass --yes if you are sure that {sure_of}"
        raise ConfigurationError(msg)
    return agreed(f"{said} Are you sure?")

"""When each list was last read, up to when, and why it could not be: kept in dlt's state. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import Any

from ..plan.windows import Window

State = MutableMapping[str, Any]
_PLACE = "reference"


class Marks:
    """What is known of each list by its name and its scope: a campaign, or empty for a list of the account.

    A list is due once a day (UTC), and again at every run after one that could not read it.
    """

    def __init__(self, state: State) -> None:
        self._lists: dict[str, dict[str, dict[str, str]]] = state.setdefault(_PLACE, {})

    def is_due(self, name: str, scope: str, now: datetime) -> bool:
        """Whether the list has not been read today, nor refused."""
        at = self._of(name, scope)
        return "failed" in at or "asked" not in at or datetime.fromisoformat(at["asked"]).date() != now.date()

    def since(self, name: str, scope: str, begin: datetime, overlap: timedelta, unsettled: datetime | None) -> datetime:
        """From where a list with dates is read: `begin` at first, or if the last reading began later."""
        at = self._of(name, scope)
        if "until" not in at or datetime.fromisoformat(at["begin"]) > begin:
            return begin
        until = datetime.fromisoformat(at["until"]) - overlap
        return max(begin, min(until, unsettled or until))

    def read(self, name: str, scope: str, now: datetime, window: Window | None) -> None:
        """Record that a list was read, completely or what lies in a window."""
        at = self._of(name, scope)
        begin = at.get("begin")
        at.clear()
        at["asked"] = now.isoformat()
        if window:
            start = min(window.start, datetime.fromisoformat(begin)) if begin else window.start
            at |= {"begin": start.isoformat(), "until": window.end.isoformat()}

    def refuse(self, name: str, scope: str, now: datetime, reason: str) -> None:
        """Record that the API does not show a list; what was read before still counts."""
        at = self._of(name, scope)
        at.pop("failed", None)
        at |= {"asked": now.isoformat(), "refused": reason}

    def fail(self, name: str, scope: str, reason: str) -> None:
        """Record that a list could not be read."""
        self._of(name, scope)["failed"] = reason

    def _of(self, name: str, scope: str) -> dict[str, str]:
        return self._lists.setdefault(name, {}).setdefault(scope, {})


def forget(state: State, name: str) -> None:
    """Forget everything about a list, so that it is read completely again."""
    state.get(_PLACE, {}).pop(name, None)


def read_marks(state: Mapping[str, Any], how: str) -> list[tuple[str, str, str]]:
    """The lists that a state says were `refused`, or have `failed`: each with its scope and the reason."""
    lists: Mapping[str, Mapping[str, Mapping[str, str]]] = state.get(_PLACE, {})
    return [(name, scope, at[how]) for name, scopes in lists.items() for scope, at in scopes.items() if how in at]


def describe(lists: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Lists with their reasons in words; campaigns with the same reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, scope, reason in lists:
        found.setdefault((name, reason), []).append(scope)
    for (name, reason), scopes in found.items():
        of = f" of campaign {', '.join(scopes)}" if any(scopes) else ""
        yield f"{name}{of}: {reason}"

"""The account's time zone: as set, else as the API names it; kept in the source's state, where readers find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from .account import State
from .api.client import Client
from .errors import NotFound, ScopeError
from .parsing import is_local
from .reference.lists import COMPANY
from .reference.marks import Marks, read_marks
from .reference.reading import read_list
from .settings import SECTION, Settings
from .shown import visible
from .sql import Tables
from .zones import find_zone

_KEPT: Final = "time_zone"
_COLUMN: Final = "timezone"
_NONE: Final = f"{COMPANY.path[0]} names none"


@dataclass(frozen=True)
class AccountZone:
    """The zone whose days, weeks and months count: its IANA name, and what the API calls the account's."""

    name: str = "UTC"
    said: str = ""
    """Empty if the API has not been asked, or names none."""
    chosen: bool = False
    """Whether the user has set it."""
    refused: str = ""
    """Why the API did not name it."""
    asked: str = ""
    """When the API was asked for it alone, ISO 8601: syncs that keep `company` up to date need not."""

    @property
    def known(self) -> bool:
        """Whether it is the account's or the user's, not UTC because there is no other."""
        return self.chosen or find_zone(self.said) is not None

    @property
    def problem(self) -> str:
        """Why it is UTC for want of another, and what to do; empty if it is known, or nobody has asked yet."""
        if self.known or not (self.said or self.refused):
            return ""
        why = f"impact.com calls it {visible(self.said)!r}, which we do not know" if self.said else self.refused
        return (
            f"the account's time zone is not known ({why}), so days, weeks and months are UTC's: "
            f"set {SECTION}.time_zone to its IANA name, such as America/New_York"
        )


def kept_zone(state: Mapping[str, Any], tables: Tables) -> AccountZone:
    """The zone that the last run counted in; of a warehouse that no run of ours has filled, what it tells itself."""
    if kept := state.get(_KEPT):
        return AccountZone(**kept)
    return find(Settings.reference, state, tables)


def find(reference: tuple[str, ...], state: Mapping[str, Any], tables: Tables) -> AccountZone:
    """The account's zone as far as it was read before: from the table `company`, if syncs keep it up to date."""
    kept, read = AccountZone(**state.get(_KEPT, {})), COMPANY.name in reference
    held = tables.holds(COMPANY.name, _COLUMN) and (read or not kept.said)
    rows = tables.rows(f"select {_COLUMN} from {COMPANY.name}") if held else []
    said = next((str(name) for (name,) in rows if name), kept.said)
    refused = "" if read else kept.refused
    if read and not said:
        why = next((why for name, _, why in read_marks(state, "refused") if name == COMPANY.name), "")
        refused = why or (_NONE if rows else "")
    return AccountZone(find_zone(said) or "UTC", said, refused=refused, asked=kept.asked)


def decide(settings: Settings, state: Mapping[str, Any], tables: Tables) -> AccountZone:
    """The zone of a run, without asking the API."""
    found = find(settings.reference, state, tables)
    return replace(found, name=settings.time_zone, chosen=True) if settings.time_zone else found


def settle(client: Client, state: State, tables: Tables, *, dated: bool = False) -> AccountZone:
    """Decide on the zone of a run and count in it: from now on it is the `time_zone` of the client's settings.

    The API is asked, once a day at most, only if days have to be told apart before anything is read: `dated`, or the
    date where syncs begin.
    """
    settings = client.settings
    zone = decide(settings, state, tables)
    if (dated or is_local(settings.start_date)) and not zone.known and is_due(client, state, zone):
        zone = ask(client, zone)
    client.settings = replace(settings, time_zone=zone.name)
    return zone


def is_due(client: Client, state: State, zone: AccountZone) -> bool:
    """Whether the API has not been asked today (UTC)."""
    now = client.clock.server_now
    read = COMPANY.name in client.settings.reference
    asked = bool(zone.asked) and datetime.fromisoformat(zone.asked).date() == now.date()
    return not asked and (not read or Marks(state).is_due(COMPANY.name, "", now))


def ask(client: Client, before: AccountZone) -> AccountZone:
    """The zone that the API names now; the one `before` if it names none, or the token lacks the scope.

    Raises what any request raises.
    """
    asked = client.clock.server_now.isoformat()
    try:
        row = read_list(client, COMPANY, "", None).tables[COMPANY.name]
    except (ScopeError, NotFound) as error:
        return replace(before, refused=str(error), asked=asked)
    said = str((row[_COLUMN][0].as_py() if _COLUMN in row.column_names else "") or "")
    if not said:
        return replace(before, refused=_NONE, asked=asked)
    return replace(before, name=find_zone(said) or "UTC", said=said, refused="", asked=asked)


def keep(state: State, zone: AccountZone) -> None:
    """Record the zone that a run counts in, if it is more than a default."""
    if zone != AccountZone():
        state[_KEPT] = asdict(zone)

"""Proves that a query by LockingDate alone sees all of history.

Without a StartDate, the API lists the past seven days. Whether that default also applies to queries by LockingDate
alone is not documented; if it does, every locking window is a valid, short answer, and a sync that trusts it would be
silently wrong. One request about an action that locked long ago shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ..api.client import Client
from ..errors import NotFound, ReadingError, ShortAnswers, WindowTooFull
from ..plan.axis import Axis
from ..plan.passes import Bounds, Pass, Reading
from ..plan.windows import Window, second
from ..settings import PAGE_SIZE_MIN
from ..warehouse import Warehouse
from .unread import Failure

_OLD = timedelta(days=10)
"""Longer than the seven days of the default, with a margin: such an action is in no default answer."""
_VALID = timedelta(days=30)
"""A proof is repeated after this: the API may change."""
_PROVEN = "locking_proven"


def prove_locking(
    client: Client,
    warehouse: Warehouse,
    state: MutableMapping[str, Any],
    campaigns: Iterable[str],
    bounds: Bounds,
) -> list[Failure]:
    """Raise `ShortAnswers` if a query by LockingDate hides actions that were not updated lately.

    Sends nothing if a proof is recent or the warehouse holds no action that locked long ago: then nothing can have been
    hidden yet. Returns the failures if no campaign could prove it: these campaigns are not to be read by LockingDate.
    """
    proven = state.get(_PROVEN)
    if proven and bounds.now - datetime.fromisoformat(proven) < _VALID:
        return []
    failed = []
    for campaign_id in campaigns:
        known = warehouse.long_locked(campaign_id, bounds.earliest + _OLD, bounds.now - _OLD)
        if known is None:
            continue
        action_id, lock = known
        try:
            hidden = not _is_listed(client, campaign_id, action_id, lock) and _still_locks(client, action_id, lock)
        except ReadingError as error:
            failed.append(Failure(Reading(campaign_id, Pass.LOCKING, second(lock)), error))
            continue
        if hidden:
            msg = (
                f"the API hides action {action_id} from a query by its LockingDate, as if that covered the past seven "
                "days only: approvals cannot be followed like this. Nothing was read by LockingDate; please report it"
            )
            raise ShortAnswers(msg)
        state[_PROVEN] = bounds.now.isoformat()
        return []
    return failed


def _is_listed(client: Client, campaign_id: str, action_id: str, lock: datetime) -> bool:
    """Whether a list of what locks at `lock` holds the action, or more than one page can show.

    A server that compares to the minute or the day and excludes the end of a range lists nothing for a single second.
    """
    day = lock.replace(hour=0, minute=0, second=0, microsecond=0)
    for window in (second(lock), Window(day, day + timedelta(days=1))):
        try:
            page = client.actions(campaign_id, {Axis.LOCKING: window}, PAGE_SIZE_MIN).value
        except WindowTooFull:
            return True
        ids = {str(record.get("Id")) for record in msgspec.json.decode(page.records, type=list[dict[str, Any]])}
        if action_id in ids or page.pages > 1:
            return True
    return False


def _still_locks(client: Client, action_id: str, lock: datetime) -> bool:
    """Whether the action still exists and locks when the warehouse says."""
    try:
        found = msgspec.json.decode(client.action(action_id).value, type=dict[str, Any])
        return datetime.fromisoformat(str(found.get("LockingDate"))) == lock
    except (NotFound, ValueError):
        return False

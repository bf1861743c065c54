"""What a run should meet again of a campaign; what it has not met at the end is requested by id. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ..plan.gone import Gone
from ..plan.passes import Pass, Reading
from ..plan.windows import Window
from ..warehouse import Refused


@dataclass
class Watch:
    """What of one campaign has not been met yet.

    `open` are actions that can still change, with their EventDate; `rejected` are records that could not be typed;
    `gone` are actions that the API did not know when last asked.
    """

    open: dict[str, datetime | None] = field(default_factory=dict)
    rejected: dict[str, Refused] = field(default_factory=dict)
    rejected_now: set[str] = field(default_factory=set)
    """Keys of the records that could not be typed in this run."""
    gone: dict[str, Gone] = field(default_factory=dict)

    def meet(self, ids: Iterable[str], misfits: Collection[str | None]) -> list[str]:
        """Cross off the actions read; returns the records that were rejected before and can all be read now.

        `misfits` are those that still lack a value.
        """
        ids = list(ids)
        for id_ in ids:
            self.open.pop(id_, None)
        resolved = [id_ for id_ in ids if self._is_rejected(id_) and id_ not in misfits]
        self.resolve(resolved)
        return resolved

    def reject(self, key: str, action_id: str | None) -> bool:
        """Record that a record could not be typed; returns whether that is news."""
        if action_id:
            self.open.pop(action_id, None)
        news = not self._is_rejected(key)
        self.rejected_now.add(key)
        return news

    def resolve(self, keys: Iterable[str]) -> None:
        """Forget records that are no longer rejected."""
        for key in keys:
            self.rejected.pop(key, None)
            self.rejected_now.discard(key)

    def meet_gone(self, ids: Iterable[str]) -> list[str]:
        """The actions among these that were gone before; crosses them off."""
        return [id_ for id_ in ids if self.gone.pop(id_, None)] if self.gone else []

    def newly_gone(self, ids: Iterable[str], at: datetime) -> list[str]:
        """The actions that the API does not know and whose absence is to be recorded."""
        return [id_ for id_ in ids if id_ not in self.gone or self.gone[id_].is_news(at)]

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to cross off."""
        return not (self.open or self.rejected or self.rejected_now)

    @property
    def missing(self) -> dict[str, Refused]:
        """Rejected records to request again because no window of this run returned them."""
        return {key: r for key, r in self.rejected.items() if r.again and key not in self.rejected_now}

    @property
    def unseen(self) -> dict[str, datetime | None]:
        """EventDate by id of the actions that no window of this run returned."""
        return self.open | {r.action_id: None for r in self.missing.values() if r.action_id}

    def unmet(self, unread: Sequence[Window], now: datetime) -> set[str]:
        """Open actions to request by id, as their windows were read and did not return them.

        For one that was already gone, its window mostly says enough: there may be many.
        """
        known = {id_ for id_, gone in self.gone.items() if not gone.is_news(now)}
        return {
            id_ for id_, at in self.open.items() if not (at and any(w.start <= at <= w.end for w in unread))
        } - known

    def met(self, missing: Iterable[str]) -> list[str]:
        """The records among the `missing` that were requested again and not rejected."""
        return [key for key in missing if key in self.rejected and key not in self.rejected_now]

    def _is_rejected(self, key: str) -> bool:
        return key in self.rejected or key in self.rejected_now


def windows_of(campaign_id: str, missing: Iterable[Refused]) -> list[Reading]:
    """The windows that held rejected records without an id: there is no other way to request those."""
    held = {(r.pass_, Window(r.start, r.end)) for r in missing if not r.action_id and r.start and r.end}
    return [Reading(campaign_id, Pass(pass_), window) for pass_, window in sorted(held)]

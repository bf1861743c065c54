"""Throws faults at requests as they come, and counts them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from .faults import Faults, Kind
from .replies import Reply, Request
from .spoiled import CHANGES, Hit, json_reply

_UNDONE = frozenset({Kind.REFUSED, *(kind for kind in Kind if kind.startswith("429"))})
_EITHER = frozenset({Kind.RESET, Kind.HANG, *(kind for kind in Kind if kind.startswith("5"))})


@dataclass
class Thrower:
    """Throws faults at requests as they come, and counts them in `thrown`."""

    thrown: Counter[str] = field(default_factory=Counter)
    _faults: Faults = field(default_factory=Faults)
    _number: int = 0
    _in_a_row: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> Faults:
        """What goes wrong; setting it restarts the count of requests."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults, self._number = faults, 0
        self._in_a_row.clear()

    def throw(self, request: Request, answer: Callable[[], Reply], now: datetime) -> tuple[Kind | None, Reply]:
        """Return the fault that hits a request, if any, and its answer, which the fault may have changed.

        A refused request is not carried out, so no `answer` is computed; of those that fail otherwise without an
        answer, every other one is carried out anyway. Faults that would not change this answer, such as a link to the
        next page if there are no pages, do not hit.
        """
        self._number += 1
        key, faults = f"{request.path} {sorted(request.query.items())}", self._faults
        if faults.expire_after is not None and self._number > faults.expire_after:
            self.thrown["401"] += 1
            return None, json_reply(401, {"Status": "ERROR", "Message": "The AccountSID or the AuthToken is wrong"})
        kind = faults.draw(self._number)
        many = faults.most_in_a_row is not None and self._in_a_row[key] >= faults.most_in_a_row
        if kind is None or many:
            self._in_a_row.pop(key, None)
            return None, answer()
        undone = kind in _UNDONE or (kind in _EITHER and self._number % 2 == 0)
        reply = Reply() if undone else answer()
        change = CHANGES.get(kind)
        changed = change(Hit(request, reply, now, faults, self._number)) if change else reply
        if changed is None:
            return None, reply
        self._in_a_row[key] += 1
        self.thrown[kind.value] += 1
        return kind, changed

"""A closed month beside what is accrued for it now, and the changes in between, from the view `close_changes`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from impact_source.dialect import literal
from impact_source.errors import ConfigurationError
from impact_source.shown import visible

from ..close.run import Closed, read_closes
from . import words
from .restated import KINDS
from .scope import Books
from .tables import Cell, Listing, Table, amount, change, text

PARTNERS: Final = 15
_Key = tuple[str, str]
"""A partner's id and a currency; empty if there is none, as in `close_lines`."""


@dataclass(frozen=True)
class Since:
    """What was accrued for one partner and currency at the close, what is accrued now, and the changes by kind."""

    partner_id: str
    partner: str | None
    currency: str
    then: Decimal
    now: Decimal
    changes: dict[str, Decimal]

    @property
    def changed(self) -> bool:
        """Whether anything has changed, even if it makes no difference together."""
        return self.now != self.then or any(self.changes.values())

    @property
    def unexplained(self) -> Decimal:
        """What the changes do not add up to: the kind `other` of `close_changes`."""
        return self.now - self.then - sum(self.changes.values())


@dataclass(frozen=True)
class ClosedMonth:
    """A closed month; `lines` of all partners. Without a `history`, no changes by kind are known."""

    month: date
    closed_at: datetime
    known_at: datetime
    time_zone: str
    note: str | None
    exceptions: str | None
    intact: bool
    history: bool
    lines: tuple[Since, ...]


def read_closed(books: Books, month: date) -> ClosedMonth:
    """Read it. Raises `ConfigurationError` if the month is not closed."""
    closes = read_closes(books.warehouse)
    found = next((one for one in closes if one.close.month == month), None)
    if found is None:
        others = ", ".join(f"{one.close.month:%Y-%m}" for one in closes)
        msg = (
            f"{month:%Y-%m} is not closed, so nothing can be compared with its close: `impact close {month:%Y-%m}` "
            f"closes it; closed are {others or 'no months yet'}"
        )
        raise ConfigurationError(msg)
    one = found.close
    history = books.holds("close_changes")
    return ClosedMonth(
        one.month,
        books.local(one.closed_at),
        books.local(one.known_at),
        one.time_zone,
        one.note,
        one.exceptions,
        found.is_intact,
        history,
        tuple(_lines(books, found, history=history)),
    )


def _lines(books: Books, found: Closed, *, history: bool) -> list[Since]:
    first = f"cast({literal(found.close.month.isoformat())} as date)"
    now = books.rows(
        f"""
        select coalesce(media_partner_id, ''), coalesce(currency, ''), max(media_partner_name), sum(coalesce(payout, 0))
        from settlement
        where stage <> 'reversed' and cast(date_trunc('month', event_date at time zone 'account') as date) = {first}
        group by 1, 2
        """
    )
    changed = f"""
        select media_partner_id, currency, kind, max(media_partner_name), sum(payout_change)
        from close_changes
        where month = {first} and kind <> 'other'
        group by media_partner_id, currency, kind
        """
    moved = books.rows(changed) if history else []
    names: dict[_Key, str | None] = {}
    accrued: dict[_Key, Decimal] = defaultdict(Decimal)
    frozen: dict[_Key, Decimal] = defaultdict(Decimal)
    changes: dict[_Key, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(KINDS, Decimal(0)) if history else {})
    for line in found.lines:
        key = (line.media_partner_id, line.currency)
        names[key], frozen[key] = line.media_partner_name, line.accrued
    for id_, currency, kind, name, difference in moved:
        names[id_, currency], changes[id_, currency][kind] = name, Decimal(difference)
    for id_, currency, name, commission in now:
        names[id_, currency], accrued[id_, currency] = name, Decimal(commission)
    return [Since(key[0], name, key[1], frozen[key], accrued[key], changes[key]) for key, name in names.items()]


def listings(closed: ClosedMonth, zone: str) -> Iterator[Listing]:
    """A table of the currencies, and one of the partners that have changed most."""
    name = words.month(closed.month)
    currencies: dict[str, list[Since]] = defaultdict(list)
    for one in closed.lines:
        currencies[one.currency].append(one)
    totals = [_total(currency, lines) for currency, lines in sorted(currencies.items())]
    headings = ("Accrued at the close", *_headings(closed), "Accrued now", "Change")
    rows = [(text(words.currency(one.currency)), *_amounts(closed, one)) for one in totals]
    yield Listing(f"{name} since it was closed", _note(closed, totals, zone), Table(("Currency", *headings), rows))
    most: list[Since] = []
    moved = 0
    for _, lines in sorted(currencies.items()):
        changed = [one for one in lines if one.changed]
        moved += len(changed)
        most += sorted(changed, key=lambda one: (-abs(one.now - one.then), one.partner_id))[:PARTNERS]
    rows = [
        (text(one.partner or one.partner_id), text(words.currency(one.currency)), *_amounts(closed, one))
        for one in most
    ]
    cut = words.cut_to(len(most), moved, "that changed most")
    yield Listing(f"{name} since it was closed, by partner", cut, Table(("Partner", "Currency", *headings), rows))


def _note(closed: ClosedMonth, totals: Iterable[Since], zone: str) -> str:
    """What was closed, when, and whether the figures still add up."""
    text = f"Closed with what was known on {words.moment(closed.known_at)}"
    text += f" ({visible(closed.note)})." if closed.note else "."
    if closed.exceptions:
        text += f" It was closed although: {visible(closed.exceptions)}."
    if not closed.history:
        text += " The history of actions is turned off: kinds of changes are not known."
    elif closed.time_zone != zone:
        text += (
            f" Months were those of {closed.time_zone} then: what no change explains lies between the two calendars."
        )
    elif any(one.unexplained for one in totals):
        text += " What no change explains left the history, or the frozen lines were changed."
    return text


def _total(currency: str, lines: list[Since]) -> Since:
    then, now = (sum((getattr(one, name) for one in lines), Decimal(0)) for name in ("then", "now"))
    changes = {kind: sum((one.changes[kind] for one in lines), Decimal(0)) for kind in lines[0].changes}
    return Since("", None, currency, then, now, changes)


def _headings(closed: ClosedMonth) -> tuple[str, ...]:
    if not closed.history:
        return ()
    kinds = tuple(f"{kind.capitalize()}s" for kind in KINDS)
    return (*kinds, "Not explained") if any(one.unexplained for one in closed.lines) else kinds


def _amounts(closed: ClosedMonth, one: Since) -> Iterator[Cell]:
    moves = [*one.changes.values(), one.unexplained][: len(_headings(closed))]
    yield amount(one.then)
    yield from map(change, moves)
    yield amount(one.now)
    yield change(one.now - one.then)

"""The figures that a reader sees first, and how reliable they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from . import words
from .figures import NOTHING, Balance, Comparison, Currency, Figures
from .invoices import Invoices
from .reconciled import Reconciled

_SHOWN: Final = 3
_LATE: Final = timedelta(days=1)
_Read = Callable[[Balance], Decimal | int]
_TILES: Final[tuple[tuple[str, _Read], ...]] = (
    ("Accrued commission", lambda of: of.accrued),
    ("At risk", lambda of: of.at_risk),
    ("Locked, not paid", lambda of: of.locked),
    ("Paid", lambda of: of.paid),
    ("Reversed", lambda of: of.reversed),
    ("Conversions", lambda of: of.actions),
)


@dataclass(frozen=True)
class Tile:
    """One figure: its name, its value, its change, and a note."""

    label: str
    value: str
    change: str
    note: str


@dataclass(frozen=True)
class Panel:
    """The figures of one currency; `parts` are the shares of the accrued commission by stage, for a bar."""

    currency: str
    tiles: tuple[Tile, ...]
    parts: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Badge:
    """One fact about the data; `good` unless something has to be done."""

    text: str
    good: bool


def panels(figures: Figures) -> list[Panel]:
    """The figures of the currencies with the most conversions."""
    shown = list(figures.balances.items())[:_SHOWN]
    return [_panel(currency, balance, figures.compared) for currency, balance in shown]


def others(figures: Figures) -> list[tuple[str, Balance]]:
    """The currencies that no panel shows."""
    rest = list(figures.balances.items())[_SHOWN:]
    return [(words.currency(currency), balance) for currency, balance in rest]


def _panel(currency: Currency, now: Balance, compared: Comparison | None) -> Panel:
    then = compared.balances.get(currency, NOTHING) if compared and not compared.missing else None
    notes = {
        "Accrued commission": f"cost with fees {words.money(now.accrued + now.fees)}"
        if now.fees is not None
        else "at risk, locked and paid",
        "At risk": f"open; {words.money(now.approved)} of it approved",
        "Reversed": words.counted(now.actions_reversed, "conversion"),
        "Conversions": f"revenue {words.money(now.revenue)}",
    }
    tiles = [
        Tile(label, _said(read(now)), words.change(read(now), read(then)) if then else "", notes.get(label, ""))
        for label, read in _TILES
    ]
    stages = (("Paid", now.paid), ("Locked", now.locked), ("Open", now.at_risk))
    whole = sum((max(value, Decimal(0)) for _, value in stages), Decimal(0))
    parts = tuple((name, round(float(value / whole) * 100, 2)) for name, value in stages if value > 0)
    return Panel(words.currency(currency), tuple(tiles), parts)


def _said(value: Decimal | int) -> str:
    return words.money(value) if isinstance(value, Decimal) else words.count(value)


def compared_with(figures: Figures) -> str:
    """What changes are measured against, or why none are shown."""
    compared = figures.compared
    if compared is None:
        return ""
    at = words.closing(compared.at)
    if compared.missing:
        return f"Changes since {at} cannot be shown: {compared.missing}."
    closed = f"{words.month(figures.closed.month)} was closed, " if figures.closed else ""
    text = f"Changes are since {closed}{at}, as it was known then"
    text += f": read up to {words.moment(compared.as_of)}." if compared.as_of else "."
    if compared.unknown:
        several = len(compared.unknown) > 1
        text += (
            f" Campaign{'s' * several} {', '.join(compared.unknown)} {'were' if several else 'was'} first read later: "
            f"all of {'theirs' if several else 'its'} counts as a change."
        )
    return text


def badges(figures: Figures) -> list[Badge]:
    """Lagging campaigns, verification, items and rejected records in a few words each."""
    found = [*_late(figures), _verified(figures)]
    actions = sum(one.actions - one.not_found for one in figures.coverage)
    if actions:
        current = sum(one.current for one in figures.coverage)
        said = f"Items known for {words.percent(current / actions)} of conversions"
        if derived := sum(one.derived for one in figures.coverage):
            feed, lists = (words.percent(part / actions) for part in (derived, current - derived))
            said += f" (change feed {feed}, lists {lists})"
        found.append(Badge(said, current == actions))
    if figures.invoices and figures.invoices.months:
        found.append(_invoices(figures.invoices))
    if figures.reconciled:
        found.append(_reconciled(figures.reconciled))
    if figures.closed and not figures.closed.intact:
        said = f"The frozen lines of {words.month(figures.closed.month)} were changed after it was closed"
        found.append(Badge(said, good=False))
    if figures.closed and figures.closed.time_zone != figures.zone:
        said = f"{words.month(figures.closed.month)} was closed in the calendar of {figures.closed.time_zone}"
        found.append(Badge(said, good=False))
    if figures.zone_unknown:
        found.append(Badge("The account's time zone is not known: days and months are UTC's", good=False))
    if figures.rejected:
        found.append(Badge(f"{words.counted(figures.rejected, 'record')} could not be read", good=False))
    return found


def _invoices(invoices: Invoices) -> Badge:
    months = f"{words.counted(invoices.months, 'month')} of invoices"
    if invoices.unexplained:
        return Badge(f"{words.count(invoices.unexplained)} of {months} do not agree with their actions", good=False)
    but = f", but for other amounts in {words.count(invoices.differing)}" if invoices.differing else ""
    return Badge(f"{months} agree with their actions{but}", good=True)


def _reconciled(found: Reconciled) -> Badge:
    since = f" from {words.day(found.since)}" if found.since else ""
    until = f" up to {words.day(found.until)}" if found.until else ""
    said = f"Own orders{since}{until} compared on {words.day(found.at)}"
    if not found.differences:
        return Badge(f"{said}: no difference", good=True)
    counted = words.counted(found.differences, "difference")
    return Badge(f"{said}: {counted}, {words.count(found.correctable)} of them correctable", good=not found.correctable)


def _late(figures: Figures) -> Iterator[Badge]:
    """Campaigns that are behind the page's `as_of`."""
    if figures.as_of is None:
        return
    for one in figures.campaigns:
        if one.as_of is None:
            yield Badge(f"Campaign {one.campaign_id} has not been read yet", good=False)
        elif figures.as_of - one.as_of > _LATE:
            yield Badge(f"Campaign {one.campaign_id} was read up to {words.day(one.as_of)} only", good=False)


def _verified(figures: Figures) -> Badge:
    held = [one for one in figures.campaigns if one.actions]
    times = [one.verified_at for one in held if one.verified_at]
    if not times:
        return Badge("Not verified against the API yet", good=False)
    if drift := sum(one.drift or 0 for one in held):
        return Badge(f"Verification found {words.counted(drift, 'action')} that differ", good=False)
    if len(times) < len(held):
        return Badge(f"{len(times)} of {len(held)} campaigns verified against the API", good=False)
    return Badge(f"Verified against the API on {words.day(min(times))}: no difference", good=True)

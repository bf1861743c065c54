"""Asks about lists: how too many matches are refused, how many rows a page has, the change feed, and items."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from impact_source.errors import NotFound, ReadingError, RequestRefused, ScopeError
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window, round_second
from impact_source.settings import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, PAGE_SIZE_MIN, PAGES_MAX

from . import feed, form
from .answers import Answer, Topic, Untellable, untold
from .known import WIDE, Answers, Known, before
from .rows import Listing, text

_CAMPAIGNS: Final = 3
"""Campaigns that are tried: the one with the most actions is asked about."""
_SIZES: Final = (PAGE_SIZE_MAX, 2 * PAGE_SIZE_DEFAULT, PAGE_SIZE_DEFAULT)
_PAGE: Final = 0.5
"""How much of a page a list is planned to fill."""
_PLAUSIBLE: Final = 0.5
"""The share of what is too many that a short list must suggest for a long one."""


@dataclass(frozen=True)
class _Refused:
    """A refused list: its window, and the status and the error of the answer."""

    window: Window
    status: int
    error: RequestRefused


@dataclass(frozen=True)
class _Sample:
    """The longest list of a campaign that was answered, and the longest one that was refused."""

    campaign: str
    window: Window
    found: Listing
    refused: _Refused | None

    @property
    def total(self) -> int:
        """How many actions there are in as long a time as the longest list covers, as far as can be expected."""
        return round((self.found.total or 0) * (WIDE / self.window.span))

    @property
    def size(self) -> int:
        """Rows per page, with the PageSize that was asked for."""
        return min(self.found.size or PAGE_SIZE_MIN, PAGE_SIZE_MIN)

    @property
    def most(self) -> int:
        """The most actions that are not too many."""
        return self.size * PAGES_MAX


def sample(known: Known) -> Answers:
    """Read actions, on which the other questions build; if they are many, the longest list is refused."""
    samples, errors = list[_Sample](), list[ReadingError]()
    for campaign_id in known.campaigns[:_CAMPAIGNS]:
        try:
            samples.append(_read_sample(known, campaign_id))
        except ReadingError as error:
            errors.append(error)
    if not samples:
        raise errors[-1] if errors else Untellable("the account lists no campaign")
    best = max(samples, key=lambda one: (one.refused is not None, one.total))
    known.campaign, known.rows, known.longest = best.campaign, best.found.rows, best.window.span
    if not known.rows:
        msg = "no action was updated in the past weeks"
        raise Untellable(msg)
    if best.refused is None:
        few = f"no list of {WIDE.days} days holds more than {best.most:,} actions"
        raise Untellable(few if best.window.span == WIDE else "longer lists are not answered in time")
    yield from _refusal(best, best.refused)


def _read_sample(known: Known, campaign_id: str) -> _Sample:
    refused: list[_Refused] = []

    def read(window: Window) -> Listing:
        try:
            return known.asker.actions(campaign_id, {Axis.UPDATED: window})
        except RequestRefused as error:
            refused.append(_Refused(window, known.asker.status, error))
            raise

    window, found = known.widest(read, before(known.asker.now))
    return _Sample(campaign_id, window, found, refused[0] if refused else None)


def _refusal(answered: _Sample, refused: _Refused) -> Answers:
    """The form of a refusal, if the refused list can be expected to hold too many."""
    expected = answered.total * (refused.window.span / WIDE)
    named = getattr(refused.error, "total", None) or 0
    if max(named, expected / _PLAUSIBLE) <= answered.most:
        msg = "a list was refused, but does not seem to hold too many actions"
        raise Untellable(msg)
    yield Topic.MANY, form.refusal(refused.status, refused.error)
    yield Topic.TOTAL, form.names_total(refused.error, answered.size)


def page_size(known: Known) -> Answers:
    """The largest PageSize that is accepted, and what comes of it."""
    now = known.asker.now
    for asked in _SIZES:
        try:
            found = known.asker.actions(known.campaign, {Axis.UPDATED: before(now)[-1]}, asked)
        except RequestRefused:
            continue
        known.size = min(asked, PAGE_SIZE_DEFAULT)
        yield Topic.PAGE_SIZE, _accepted(asked)
        yield Topic.PAGE_ROWS, _rows(asked, found.size)
        return
    yield Topic.PAGE_SIZE, Answer(f"is refused, and so is {PAGE_SIZE_DEFAULT:,}")
    yield Topic.PAGE_ROWS, Answer(f"fewer than {PAGE_SIZE_DEFAULT:,}")


def _accepted(asked: int) -> Answer:
    if asked == PAGE_SIZE_DEFAULT:
        return Answer("is refused")
    return Answer(f"is accepted, up to {asked:,}" + ("" if asked == max(_SIZES) else " at least"))


def _rows(asked: int, size: int | None) -> Answer:
    if size is None:
        return untold("the answer does not say how many a page has")
    return Answer(f"at most {size:,}" if size < asked else "as many as PageSize says")


def change_feed(known: Known) -> Answers:
    """Whether the change feed can be read, what its rows stand for, and whether they add up."""
    try:
        window, found = known.widest(partial(_updates, known), before(known.asker.now, known.spans))
    except ScopeError:
        yield Topic.FEED, Answer("is refused to this token (403)")
    except NotFound:
        yield Topic.FEED, Answer("does not exist (404)")
    else:
        yield Topic.FEED, Answer("is answered")
        yield Topic.FEED_ROWS, feed.grain(found.rows)
        known.several, known.single = feed.examples(found.rows)
        yield Topic.FEED_SUMS, _sums(known, window, found)
        return
    msg = "the change feed cannot be read"
    raise Untellable(msg)


def _updates(known: Known, window: Window) -> Listing:
    return known.asker.updates(known.campaign, {Axis.UPDATED: window}, known.size)


def _sums(known: Known, window: Window, found: Listing) -> Answer:
    """Compare the actions created in a window with all of their changes, which lie in it, too."""
    if not found.complete:
        share = _PAGE * len(found.rows) / max(1, found.total or 0)
        window = Window(round_second(window.end - min(share, _PAGE) * window.span), window.end)
        found = _updates(known, window)
    if not found.complete:
        return untold("the changes of a short time do not fit on a page")
    return feed.sums(found.rows, feed.created(known.rows, window))


def items(known: Known) -> Answers:
    """The list of items of an action with several, where one is known, and of one with a single item."""
    with_id = [id_ for row in known.rows if (id_ := text(row, "Id"))]
    if not with_id:
        msg = "no action with an id was seen"
        raise Untellable(msg)
    found = known.asker.items(known.several or with_id[0])
    yield Topic.ITEMS_KEY, Answer(found.key)
    yield Topic.TWINS, feed.twins([text(row, "Sku") for row in found.rows])
    if not known.asker.alone:
        known.asker.items(known.single or with_id[-1])

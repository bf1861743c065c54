"""Asks all questions, one after the other: whatever becomes of one, the next one is asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from impact_source.api.client import Client
from impact_source.errors import (
    BudgetSpent,
    CredentialsError,
    ImpactError,
    InvalidAnswer,
    NotFound,
    ReadingError,
    ScopeError,
    TooSlow,
    TransientError,
)
from impact_source.plan.axis import Axis

from . import form
from .answers import Answer, Topic, Untellable, untold
from .asking import MOST, Asker
from .dates import compared, filters, years
from .known import Ask, Known
from .lists import change_feed, items, page_size, sample
from .past import approvals, settled
from .rows import text

_log = logging.getLogger(__name__)

QUESTIONS: Final[tuple[tuple[tuple[Topic, ...], Ask], ...]] = (
    ((Topic.MANY, Topic.TOTAL), sample),
    ((Topic.PAGE_SIZE, Topic.PAGE_ROWS), page_size),
    ((Topic.FEED, Topic.FEED_ROWS, Topic.FEED_SUMS), change_feed),
    ((Topic.ITEMS_KEY, Topic.TWINS), items),
    ((Topic.LOCKING_UNIT, Topic.LOCKING_END), compared(Axis.LOCKING, Topic.LOCKING_UNIT, Topic.LOCKING_END)),
    ((Topic.EVENT_UNIT, Topic.EVENT_END), compared(Axis.EVENT, Topic.EVENT_UNIT, Topic.EVENT_END)),
    ((Topic.FILTERS,), filters),
    ((Topic.EVENT_YEARS,), years(Axis.EVENT, Topic.EVENT_YEARS)),
    ((Topic.LOCKING_YEARS,), years(Axis.LOCKING, Topic.LOCKING_YEARS)),
    ((Topic.EARLY,), approvals),
    ((Topic.DEFAULT, Topic.CLEARING), settled),
)
"""The questions that take requests, the most important first. Later ones build on earlier ones."""
_ACTIVE: Final = "ACTIVE"


@dataclass(frozen=True)
class Sheet:
    """An answer to every question, how many requests it took, and the error that ended it early."""

    answers: dict[Topic, Answer]
    requests: int
    error: ImpactError | None = None


def probe(
    client: Client, campaign_ids: Sequence[str] = (), on_request: Callable[[int], None] = lambda _: None
) -> Sheet:
    """Ask an account everything. Raises if its campaigns cannot be listed: then nothing can be asked.

    `campaign_ids` are those to ask about, if the account has any of them.
    """
    asker = Asker(client, on_request)
    known, answers = Known(asker), dict[Topic, Answer]()
    error = None
    with asker.limited():
        known.campaigns = _campaigns(asker, campaign_ids)
        for topics, ask in QUESTIONS:
            if error is None:
                why, error = _answer(known, ask, answers)
            else:
                why = _ended(error, asker.sent)
            for topic in topics:
                answers.setdefault(topic, untold(why))
    answers |= _seen(known)
    spent = isinstance(error, BudgetSpent) and asker.sent >= MOST
    return Sheet({topic: answers[topic] for topic in Topic}, asker.sent, None if spent else error)


def _campaigns(asker: Asker, wanted: Sequence[str]) -> list[str]:
    """The ids of the campaigns to ask about, active ones first."""
    rows = sorted(asker.campaigns().rows, key=lambda row: text(row, "State").upper() != _ACTIVE)
    listed = [id_ for row in rows if (id_ := text(row, "Id"))]
    return [id_ for id_ in listed if id_ in wanted] or listed


def _answer(known: Known, ask: Ask, answers: dict[Topic, Answer]) -> tuple[str, ImpactError | None]:
    """Ask a question. Returns why what it leaves open could not be told, and the error that ends the probe."""
    try:
        if ask is not sample and not known.campaign:
            return "no campaign can be read", None
        answers.update(ask(known))  # if it fails, what it has answered until then stays
    except Untellable as reason:
        return reason.why, None
    except ReadingError as error:
        _log.info("%s", error)
        return _describe(error), None
    except ImpactError as error:
        return _ended(error, known.asker.sent), error
    except Exception as error:  # noqa: BLE001 - an answer that nobody thought of must not cost the others
        _log.debug("unexpected", exc_info=error)
        return f"the answer was not understood ({type(error).__name__})", None
    return "nothing was seen of it", None


def _describe(error: ReadingError) -> str:
    """Why a request gave no answer, in our own words: the API's may hold what is the account's."""
    match error:
        case ScopeError():
            return "the token may not read it (403)"
        case NotFound():
            return "the API has no such object (404)"
        case TooSlow():
            return "the API did not answer in time"
        case InvalidAnswer():
            return "the answer could not be read"
        case TransientError():
            return "the API gave no answer"
        case _:
            return "the API refused the request"


def _ended(error: ImpactError, sent: int) -> str:
    match error:
        case BudgetSpent() if sent >= MOST:
            return f"the {MOST} requests were used up before"
        case BudgetSpent():
            return "the hourly request limit was reached before"
        case CredentialsError():
            return "the credentials were refused before (401)"
        case _:
            return "the probe ended before"


def _seen(known: Known) -> dict[Topic, Answer]:
    """The answers that are in what was received anyway."""
    asker, rows = known.asker, known.rows
    return {
        Topic.MONEY: form.money(rows),
        Topic.EMPTY: form.empty(rows),
        Topic.TIMES: form.times(rows),
        Topic.ORDER: form.order(rows),
        Topic.ALONE: form.alone(asker.alone),
        Topic.HEADERS: form.limit_headers(asker.heard),
        Topic.RESET: form.reset(asker.heard),
    }

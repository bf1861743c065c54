"""How reliable the figures are: items, freshness, verification, rejected records."""

from __future__ import annotations

from typing import Any

from .figures import Contradiction, Coverage, Freshness
from .scope import Books


def read_coverage(books: Books) -> tuple[Coverage, ...]:
    """How complete the items of each campaign and currency are."""
    rows = books.rows(
        f"""
        select
            campaign_id, currency, actions, actions_current, actions_outdated, actions_missing, actions_not_found,
            share_of_actions, share_of_amount, actions_from_feed
        from item_coverage
        where {books.scope.of_campaigns}
        order by campaign_id, currency
        """
    )
    return tuple(
        Coverage(
            id_,
            currency,
            int(n),
            int(current),
            int(old),
            int(missing),
            int(gone),
            _share(of_actions),
            _share(of_amount),
            int(derived),
        )
        for id_, currency, n, current, old, missing, gone, of_actions, of_amount, derived in rows
    )


def read_contradictions(books: Books) -> tuple[Contradiction, ...]:
    """The campaigns whose change feed is not used."""
    if not books.holds("item_feeds"):
        return ()
    rows = books.rows(
        f"""
        select campaign_id, example
        from item_feeds
        where status = 'contradicted' and {books.scope.of_campaigns}
        order by campaign_id
        """
    )
    return tuple(Contradiction(id_, example or "") for id_, example in rows)


def read_freshness(books: Books) -> tuple[Freshness, ...]:
    """Up to when each campaign was read, and whether that was verified."""
    if not books.holds("campaigns"):
        return ()
    if not books.holds("freshness"):  # nothing has landed yet
        names = books.rows("select id, name from campaigns order by id")
        wanted = books.scope.campaigns
        return tuple(Freshness(id_, name) for id_, name in names if not wanted or id_ in wanted)
    rows = books.rows(
        f"""
        select campaign_id, campaign_name, actions, as_of, latest_event, verified_at, drift
        from freshness
        where {books.scope.of_campaigns}
        order by campaign_id
        """
    )
    return tuple(
        Freshness(id_, name, actions or 0, books.local(as_of), books.local(latest), books.local(verified), drift)
        for id_, name, actions, as_of, latest, verified, drift in rows
    )


def read_rejected(books: Books) -> int:
    """How many records could not be read."""
    if not books.holds("rejected_records"):
        return 0
    return int(books.rows(f"select count(*) from rejected_records where {books.scope.of_campaigns}")[0][0])


def _share(value: Any) -> float | None:  # noqa: ANN401 - as above
    return None if value is None else float(value)

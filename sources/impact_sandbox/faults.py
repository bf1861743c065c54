"""Decides which requests fail, and how: by rate and seed, so that the same seed gives the same faults."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """The faults, by the name under which they are counted."""

    LIMIT = "429, X-RateLimit"
    LIMIT_EPOCH = "429, X-RateLimit, epoch"
    LIMIT_EPOCH_MS = "429, X-RateLimit, epoch in milliseconds"
    LIMIT_HOUR = "429, X-RateLimit-hour"
    LIMIT_HOUR_EPOCH = "429, X-RateLimit-hour, epoch"
    LIMIT_RETRY_AFTER = "429, Retry-After"
    LIMIT_RETRY_DATE = "429, Retry-After, date"
    LIMIT_BARE = "429, no header"
    LIMIT_ABSURD = "429, a wait that cannot be meant"
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    ERROR_504 = "504"
    EMPTY = "200, empty"
    HTML = "200, HTML"
    NULL = "200, null"
    LISTLESS = "200, no list"
    CUT = "200, cut"
    GZIP_DAMAGED = "200, gzip damaged"
    GZIP_CUT = "200, gzip cut"
    GZIP_BOMB = "200, gzip bomb"
    GZIP_TWICE = "200, gzip within gzip"
    NEXT_SELF = "next page is this one"
    NEXT_ELSEWHERE = "next page on another host"
    NEXT_ENDLESS = "next pages without end"
    REFUSED = "connection refused"
    RESET = "reset before the answer"
    RESET_AMID = "reset amid the answer"
    CLOSED_AMID = "closed amid the answer"
    LENGTH_LONG = "Content-Length too long"
    LENGTH_SHORT = "Content-Length too short"
    DRIP = "slow drip"
    DRIP_HEAD = "head without end"
    DRIP_INFORM = "1xx without end"
    DRIP_GZIP = "gzip that yields nothing, without end"
    DRIP_TRAILER = "trailer without end"
    HANG = "no answer"


STAYING = frozenset({Kind.LIMIT_BARE, Kind.LIMIT_ABSURD, Kind.NEXT_ELSEWHERE})
"""What ends a run: an hour to wait, and a link that must not be followed."""
PASSING = tuple(kind for kind in Kind if kind not in STAYING)
"""Faults that another attempt fixes."""


@dataclass(frozen=True)
class Faults:
    """Which requests go wrong, and how.

    Draw: rate: the share of requests that go wrong, 0 to 1. seed: the same seed picks the same requests, counted from
    when the faults were set, and the same faults. kinds: what may happen to a request, each as likely as the others.
    most_in_a_row: how often in a row the same request can go wrong; then it is answered. None for no limit.
    expire_after: after so many requests, every further one is refused for wrong credentials.

    Severity:
        wait: the seconds to wait in a 429.
        slowly: the seconds over which a body drips.
        hang: the seconds after which a request that got no answer, or one without end, is dropped, unless its client
            leaves before.
        closed: the seconds for which connections are refused.
    """

    rate: float = 0.0
    seed: int = 1
    kinds: tuple[Kind, ...] = PASSING
    most_in_a_row: int | None = 3
    expire_after: int | None = None
    wait: int = 1
    slowly: float = 0.3
    hang: float = 5.0
    closed: float = 0.3

    def draw(self, number: int) -> Kind | None:
        """Return what happens to the request with this number, the first being 1; None if it is answered."""
        chance = Random(f"{self.seed} {number}")  # noqa: S311 - must be reproducible from the seed
        return chance.choice(self.kinds) if chance.random() < self.rate and self.kinds else None

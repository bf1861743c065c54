"""What can go wrong, named by what the caller does next.

ImpactError
├── ConfigurationError        fix the settings, then run again
│   ├── CredentialsError      AccountSID or AuthToken is wrong (401)
│   ├── ScopeError            the token may not read this (403); concerns one reading, see below
│   ├── UnknownCampaign       the account has no such campaign
│   └── ForeignWarehouse      the warehouse holds another account
├── ReadingError              one window, action or list cannot be read: record it, read everything else
│   ├── TransientError        send the same request again; recorded once the retries are used up
│   │   ├── Unavailable       no answer, or a 5xx
│   │   │   ├── TooSlow       no answer in time (502, 503, 504, a time-out): a narrower window may have one
│   │   │   └── NotSent       no connection was made: the API cannot have heard of it
│   │   ├── InvalidAnswer     a 200 that is not a valid answer
│   │   └── RateLimited       429: retry after a while
│   ├── WindowIncomplete      a window could not be read completely: its cursor stays
│   ├── RequestRefused        the API refuses the parameters, in its own words
│   │   ├── WindowTooFull     it may mean that too many rows match: ask for a narrower window
│   │   └── UnsafeId          an id that cannot stand in a path; never sent
│   ├── NotFound              the API has no such object (404)
│   └── ScopeError            (403) of one campaign
├── Stuck                     what was waited for never came: run again
├── BudgetSpent               stop at a checkpoint, run again when the hourly limit has reset
├── OutcomeUnknown            a change may have taken effect: check, never just send it again
└── ShortAnswers              the API hides rows from a kind of query: stop before anything is wrong

A `ReadingError` ends a run only if nothing can be read: if the campaigns cannot be listed, or if so many
readings in a row get no valid answer that the API must be down (`unread.Unread`). Every other error ends the run.
"""

from __future__ import annotations


class ImpactError(Exception):
    """Base of every error that this source raises; its text says what to do."""


class ReadingError(ImpactError):
    """One window, action or list could not be read; nothing else is affected. `requests` is how many it took."""

    requests = 1


class ConfigurationError(ImpactError, ValueError):
    """A setting is missing or cannot be used."""


class CredentialsError(ConfigurationError):
    """The API does not know this AccountSID and AuthToken (401)."""


class ScopeError(ReadingError, ConfigurationError):
    """The token's scope lacks the endpoint (403)."""


class UnknownCampaign(ConfigurationError, LookupError):
    """The user named a campaign that the account does not have."""


class ForeignWarehouse(ConfigurationError):
    """The warehouse was filled from another AccountSID."""


class TransientError(ReadingError, ConnectionError):
    """The same request may succeed when it is sent again."""


class Unavailable(TransientError):
    """The service could not be reached, broke off, or answered 5xx."""


class TooSlow(Unavailable):
    """The service did not answer in time, or a gateway in front of it says so."""


class NotSent(Unavailable):
    """A change did not leave this machine: no connection was made, so no byte of it was sent."""


class InvalidAnswer(TransientError):
    """The service answered 200 with something that does not answer the request."""


class RateLimited(TransientError):
    """The hourly request limit is reached (429); `wait` is the seconds until it resets, None where unknown."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Stuck(ImpactError, TimeoutError):
    """A wait did not end, although everything it depends on has a time limit."""


class BudgetSpent(ImpactError):
    """No request is left, and waiting for more takes longer than `max_wait`."""


class RequestRefused(ReadingError, ValueError):
    """The API refuses the parameters; `said` is its message, `fields` the fields at fault if it names them."""

    def __init__(self, message: str, fields: tuple[str, ...] = (), said: str = "") -> None:
        super().__init__(message)
        self.fields = fields
        self.said = said


class WindowTooFull(RequestRefused):
    """A refusal that may mean more rows than the API pages through; `total` is their number, if it names it."""

    def __init__(self, message: str, fields: tuple[str, ...] = (), said: str = "", total: int | None = None) -> None:
        super().__init__(message, fields, said)
        self.total = total


class UnsafeId(RequestRefused):
    """An id that would change the path it stands in, so that the request would be for something else; never sent."""


class NotFound(ReadingError, LookupError):
    """The API knows no such object (404)."""


class OutcomeUnknown(ImpactError, RuntimeError):
    """A change was sent but no valid answer came: it may have taken effect. `status` is None without an answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class WindowIncomplete(ReadingError, RuntimeError):
    """A window kept changing, or cannot be split further; no part of it is skipped and no cursor moves."""


class ShortAnswers(ImpactError, RuntimeError):
    """The API answers a query by one date as if it were also filtered by another."""

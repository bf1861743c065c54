"""A request as the sandbox records it, and a reply that replaces the API's own answer."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A request to the API: its path as sent, its parameters, and the status it was answered with (0 for none).

    `form` holds the parameters in the body of a write, `peer` the client's port, one for each connection, `version` the
    API version that it names; empty for none.
    """

    method: str
    path: str
    query: dict[str, str]
    status: int = 0
    form: dict[str, str] = field(default_factory=dict)
    peer: int = field(default=0, compare=False)
    version: str = field(default="", compare=False)


@dataclass(frozen=True)
class Reply:
    """A reply instead of the API's own: any status and body, or one that breaks off in the middle.

    With `after`, the API has processed the request anyway: the call arrived, only its answer is lost. Such a reply that
    breaks off and has no body of its own breaks off the API's.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    after: bool = False


Hook = Callable[[Request], Reply | None]

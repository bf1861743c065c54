"""Libraries that only some commands need, and the command that installs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from impact_source.errors import ConfigurationError


@contextmanager
def needed(extra: str, user: str) -> Iterator[None]:
    """Import libraries of an extra. Raises `ConfigurationError` that says how `user` gets a missing one."""
    try:
        yield
    except ImportError as error:
        msg = f"{user} needs a library that is not installed ({error.name}): pip install 'impact-sync[{extra}]'"
        raise ConfigurationError(msg) from None

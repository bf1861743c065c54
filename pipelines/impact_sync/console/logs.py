"""Logging for the command: plain lines, or JSON for log collectors."""

from __future__ import annotations

import logging
from typing import Any

from impact_source.shown import visible
from pythonjsonlogger.json import JsonFormatter
from typing_extensions import override

from .turn import turn

_OURS = ("impact_source", "impact_sandbox", "impact_sync")


def configure(verbosity: int, *, json: bool) -> None:
    """Log our own packages to standard error: warnings, with `-v` each step, with `-vv` every window.

    With `json`, progress is logged as well: each line is an object with time, level, logger, message and its fields.
    """
    handler = logging.StreamHandler()
    if json:
        handler.addFilter(_add_account)
        handler.setFormatter(
            JsonFormatter(
                "%(asctime)s %(levelname)s %(name)s %(message)s",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            )
        )
    else:
        handler.setFormatter(_Plain("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    level = logging.DEBUG if verbosity > 1 else logging.INFO if verbosity or json else logging.WARNING
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
    # These log URLs, which contain the AccountSID.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _add_account(record: logging.LogRecord) -> bool:
    if turn.account:
        record.account = turn.account
    return True


class _Plain(logging.Formatter):
    """One line per message, whatever names it contains; a traceback keeps its lines."""

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = visible(turn.named(record.message))
        return super().formatMessage(record)

    @override
    def formatException(self, ei: Any) -> str:
        return visible(super().formatException(ei), lines=True)

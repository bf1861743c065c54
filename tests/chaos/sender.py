"""An apply in its own process, which kills itself, as with `kill -9`, at a given step."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any

from impact_source import Settings
from impact_source.api.client import Client
from impact_source.api.writer import Writer
from impact_source.errors import ImpactError
from impact_sync.console.exits import exit_code
from impact_sync.corrections.apply.run import apply
from impact_sync.corrections.journal.file import JournalFile
from impact_sync.corrections.journal.table import Journal
from impact_sync.corrections.reread import Rereader

_SPAN = 0.03
"""About how long a step takes, in seconds."""


class Step(Enum):
    """Where to die: in which method, and whether before it, after it, or some moments into it."""

    UNCLAIMED = (Journal, "claim", "before")
    CLAIMED = (Journal, "claim", "after")
    NOTED = (JournalFile, "leaves", "after")
    SENDING = (Writer, "_fetch", "amid")
    ANSWERED = (Writer, "send", "after")
    ANSWER_NOTED = (JournalFile, "stands", "after")
    RECORDED = (Journal, "record", "after")
    POLLING = (Client, "submission", "amid")
    POLLED = (Client, "submission", "after")
    LANDING = (Rereader, "land", "amid")
    LANDED = (Rereader, "land", "after")
    SETTLED = (Journal, "record_rows", "after")


@dataclass(frozen=True)
class Doom:
    """The step to die at, when it comes for the `number`-th time; `moment` is the point within it, from 0 to 1."""

    step: str
    number: int
    moment: float


def send(environment: Mapping[str, str], settings: Settings, plan_id: str, doom: Doom | None) -> None:
    """Apply a plan and end with its exit code, or die."""
    logging.disable()
    os.environ.update(environment)
    if doom:
        _arm(doom)
    try:
        code = apply(settings, plan_id).exit
    except ImpactError as error:
        code = exit_code(error)
    os._exit(code)


def _arm(doom: Doom) -> None:
    owner, name, when = Step[doom.step].value
    method, times = getattr(owner, name), 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @wraps(method)
    def doomed(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - the method's
        nonlocal times
        times += 1
        if times < doom.number:
            return method(*args, **options)
        if when == "before":
            die()
        if when == "amid":
            threading.Timer(doom.moment * _SPAN, die).start()
        result = method(*args, **options)
        if when == "after":
            die()
        return result

    setattr(owner, name, doomed)

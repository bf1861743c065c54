"""Exit codes, which users script against, and which errors lead to them."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from enum import IntEnum

from impact_source.actions.unread import Failure
from impact_source.errors import BudgetSpent, ConfigurationError, ImpactError
from impact_source.reference.run import NotRead


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    DRIFT = 1
    """The warehouse differs, a correction was refused, or records were newly rejected: check it."""
    USAGE = 2
    """The user has to fix something: arguments, configuration, credentials, a path."""
    EARLY = 3
    """Stopped early with everything so far landed: run again."""
    FAILED = 4
    """The API, the warehouse or this program failed."""
    BUSY = 5
    """Another run or program holds the warehouse."""
    INTERRUPTED = 130
    TERMINATED = 143


class WarehouseBusy(ImpactError):
    """Another run or program holds the warehouse."""


class WarehouseLost(ImpactError):
    """The warehouse was taken from a run while it was working on it."""


def exit_code(error: BaseException) -> Exit:
    """The exit code that an error stands for."""
    match error:
        case KeyboardInterrupt():  # dlt passes on a SIGTERM that it caught as one, with its number
            return Exit.TERMINATED if getattr(error, "signal_code", None) == signal.SIGTERM else Exit.INTERRUPTED
        case WarehouseBusy():
            return Exit.BUSY
        case ConfigurationError():
            return Exit.USAGE
        case BudgetSpent():
            return Exit.EARLY
        case _:
            return Exit.FAILED


def worst_exit(failures: Sequence[Failure | NotRead]) -> Exit:
    """The exit code of a run that went on although some readings failed."""
    return worst(exit_code(failure.error) for failure in failures)


def worst(codes: Iterable[int]) -> Exit:
    """The exit code of a command that did several things, each of which ended with one of these."""
    return Exit(max(codes))


def chain(error: BaseException) -> list[BaseException]:
    """An error and those it was raised from, outermost first."""
    seen = [error]
    while (inner := seen[-1].__cause__ or seen[-1].__context__) is not None and inner not in seen:
        seen.append(inner)
    return seen


def root_cause(error: BaseException) -> BaseException:
    """The interrupt or our own error inside the layers that dlt wraps around it, else the error that started the chain.

    Whatever was being handled when that one was raised does not count: a generator that ended, a missing key.
    """
    seen = chain(error)
    if own := next((one for one in seen if isinstance(one, ImpactError | KeyboardInterrupt)), None):
        return own
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def outcome_of(error: BaseException) -> str:
    """The outcome in `sync_runs` of a run that an error ended."""
    return "interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__

"""One line instead of a traceback, and the right exit code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from tomllib import TOMLDecodeError

import click
from impact_source.actions.unread import Failure
from impact_source.errors import ImpactError
from impact_source.reference.run import NotRead
from impact_source.shown import visible

from .ending import interruption, watchdog
from .exits import Exit, chain, exit_code, root_cause
from .screen import console
from .turn import turn

_SHOWN = 20
_OPTIONS = {"`since`": "--since", "`until`": "--until"}
"""Arguments of the source, as errors name them, and their options on the command line."""
_log = logging.getLogger(__name__)


def guarded(command: Callable[[], int]) -> int:
    """The exit code of a command, whatever it raises; the reason goes to standard error in one line."""
    try:
        return command()
    except KeyboardInterrupt as error:
        return interrupted(error)
    except click.ClickException:
        raise
    except Exception as error:  # noqa: BLE001 - the last place that can explain it
        cause = root_cause(error)
        if watchdog.signal and not isinstance(cause, KeyboardInterrupt):  # errors caused by ending it are not failures
            cause = interruption(watchdog.signal)
        if isinstance(cause, KeyboardInterrupt):
            return interrupted(cause)
        if isinstance(cause, ImpactError):
            return complain(cause)
        if _is_configuration(error):
            say(f"the configuration cannot be read: {cause}")
            return Exit.USAGE
        _log.debug("unexpected", exc_info=error)
        say(f"failed: {type(cause).__name__}: {cause} (-vv shows where)")
        return Exit.FAILED


def complain(error: ImpactError) -> Exit:
    """Print one of our errors and return its exit code."""
    text = str(error)
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    say(text)
    return exit_code(error)


def show_unread(failures: Sequence[Failure | NotRead], left_out: int) -> None:
    """Print what could not be read, each with its reason; nothing if there is none."""
    if not failures:
        return
    out = console()
    out.print("Could not be read; the next run will try again:")
    for failure in failures[:_SHOWN]:
        out.print(f"- {failure}")
    if (more := len(failures) - _SHOWN) > 0:
        out.print(f"and {more:,} more: select * from impact.sync_windows where outcome = 'failed'")
    if left_out:
        out.print(f"{left_out:,} more windows, actions or lists were not requested: too many before them failed.")
    say(str(failures[0].error))


def say(text: str) -> None:
    """Print a line to standard error, with the account that it is about if there are several."""
    click.echo(f"impact: {visible(turn.named(text.strip()), lines=True)}", err=True)


def interrupted(error: BaseException) -> Exit:
    """Print that the run was interrupted and return its exit code."""
    say("interrupted; what had landed stays, run again to continue")
    return exit_code(error)


def _is_configuration(error: BaseException) -> bool:
    """Whether dlt or the TOML reader could not read the configuration files."""
    from dlt.common.configuration.exceptions import ConfigurationException  # noqa: PLC0415 - rarely needed

    kinds = (ConfigurationException, TOMLDecodeError)
    return any(isinstance(one, kinds) or "toml" in type(one).__module__.lower() for one in chain(error))

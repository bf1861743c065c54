"""One line instead of a traceback, and the right exit code."""

from __future__ import annotations

import logging
from collections.abc import Callable
from tomllib import TOMLDecodeError

import click

from pipelines.ending import interruption, watchdog
from pipelines.exits import Exit, chain, exit_code, root_cause
from sources.impact.errors import ImpactError

_log = logging.getLogger(__name__)


def guarded(command: Callable[[], int]) -> int:
    """The exit code of a command, whatever it raises; the reason in one line on standard error."""
    try:
        return command()
    except KeyboardInterrupt as error:
        return interrupted(error)
    except click.ClickException:
        raise
    except Exception as error:  # noqa: BLE001 - the last place that can explain it
        cause = root_cause(error)
        if watchdog.told and not isinstance(cause, KeyboardInterrupt):  # what the end brings about is no failure
            cause = interruption(watchdog.told)
        if isinstance(cause, KeyboardInterrupt):
            return interrupted(cause)
        if isinstance(cause, ImpactError):
            return complain(cause)
        if _is_configuration(error):
            click.echo(f"impact: the configuration cannot be read: {cause}", err=True)
            return Exit.USAGE
        _log.debug("unexpected", exc_info=error)
        click.echo(f"impact: failed: {type(cause).__name__}: {cause} (-vv shows where)", err=True)
        return Exit.FAILED


def complain(error: ImpactError) -> Exit:
    """Say an error of ours and return its exit code."""
    click.echo(f"impact: {error}", err=True)
    return exit_code(error)


def interrupted(error: BaseException) -> Exit:
    """Say that the run was interrupted and return its exit code."""
    click.echo("impact: interrupted; what had landed stays, run again to go on", err=True)
    return exit_code(error)


def _is_configuration(error: BaseException) -> bool:
    """Whether dlt or the TOML reader could not make sense of the configuration files."""
    from dlt.common.configuration.exceptions import ConfigurationException  # noqa: PLC0415 - rarely needed

    kinds = (ConfigurationException, TOMLDecodeError)
    return any(isinstance(one, kinds) or "toml" in type(one).__module__.lower() for one in chain(error))

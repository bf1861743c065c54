"""Asks the user."""

from __future__ import annotations

import click


def agreed(question: str) -> bool:
    """Whether the user answers yes; Ctrl-C ends the command."""
    try:
        return click.confirm(question)
    except click.Abort:  # click's exception for Ctrl-C
        raise KeyboardInterrupt from None

"""Whose turn it is, when one command runs in the folders of several accounts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class _Turn:
    account: str = ""
    """The folder as the user named it; empty while a command runs for one account alone."""

    def named(self, text: str) -> str:
        """A text, with the account that it is about before it."""
        return f"{self.account}: {text}" if self.account else text


turn = _Turn()

"""Makes text from others safe to show: without our secrets, and with every character visible.

A server or a gateway that refuses a request may repeat it, credentials included; and whoever names a campaign, an item
or an error can put characters into the name that move a terminal's cursor, change its colours or hide text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote, quote_plus

from .errors import ImpactError

_UNSEEN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters except the line feed, and characters that only change how their neighbours look."""
_LEAST: Final = 8
"""Characters of a secret that are worth hiding if a text was cut within it."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""A text in which every character is visible, `\x1b` for an escape; with `lines`, line feeds stay."""
    seen = _UNSEEN.sub(lambda found: _code(ord(found[0])), text)
    return seen if lines else seen.replace("\n", "\\n")


def _code(number: int) -> str:
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"  # noqa: PLR2004 - two digits, or four


class Mask:
    """Hides an account's credentials wherever they occur in a text, in the forms in which they are sent."""

    def __init__(self, sid: str, token: str, shown_sid: str) -> None:
        basic = base64.b64encode(f"{sid}:{token}".encode()).decode()
        secrets = dict.fromkeys((basic, basic.rstrip("="), *_forms(token)), "***")
        names = dict.fromkeys(_forms(sid), shown_sid)
        # The longest first: one may contain another.
        self._hidden = sorted((secrets | names).items(), key=lambda pair: -len(pair[0]))

    def __call__(self, text: str) -> str:
        """The text as it may be shown."""
        for secret, shown in self._hidden:
            text = text.replace(secret, shown)
        for secret, shown in self._hidden:  # the rest of one that was cut
            ends = range(len(secret) - 1, _LEAST - 1, -1)
            if secret[:_LEAST] in text and (part := next((secret[:n] for n in ends if secret[:n] in text), None)):
                text = text.replace(part, shown)
        return visible(text)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Within the block, errors of ours are raised with safe text."""
        try:
            yield
        except ImpactError as error:
            error.args = tuple(self(str(part)) for part in error.args)
            for name, value in vars(error).items():
                setattr(error, name, self._shown(value))
            raise

    def _shown(self, value: object) -> object:
        if isinstance(value, str):
            return self(value)
        return tuple(map(self._shown, value)) if isinstance(value, tuple) else value


def _forms(secret: str) -> set[str]:
    r"""A secret as it appears in a body, in a URL, and in the `repr` of a text."""
    return {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]} - {""}

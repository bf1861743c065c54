"""Text from elsewhere as people can read it, on a screen and in a report."""

from __future__ import annotations

from typing import Final

_UNSEEN: Final[dict[int, int | str]] = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys(
        [*range(0x80, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"
    ),
    **dict.fromkeys([0x2028, 0x2029], "\u2424"),
    0xFEFF: "\ufffd",
}
"""Controls, ends of lines and marks of direction, with what is shown in their place."""


def readable(text: str) -> str:
    """A text on one line, in its order, without anything that steers the screen."""
    return text.translate(_UNSEEN)

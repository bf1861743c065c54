"""Flattens JSON nested deeper than any parser follows: such values become text, as they would on landing anyway."""

from __future__ import annotations

import re

import msgspec

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def flatten(text: bytes, depth: int) -> bytes:
    """The JSON `text`, with every object and list that lies within more than `depth` others as a string of its JSON."""
    pieces: list[bytes] = []
    level = begun = copied = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in b"[{":
            level += 1
            if level == depth + 1:
                begun = token.start()
        elif sign in b"]}":
            level -= 1
            if level == depth:
                pieces += [text[copied:begun], msgspec.json.encode(text[begun : token.end()].decode(errors="replace"))]
                copied = token.end()
    return b"".join([*pieces, text[copied:]])

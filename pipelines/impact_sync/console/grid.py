"""Tables for a screen of any width: rows if there is room, else one record below the other. Nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from impact_source.shown import visible
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_WORD: Final = 24
"""The length above which a word in a text may be broken."""
_FRAME, _GAP = 3, 2
"""Screen columns between two table columns, with and without lines between them."""
_INDENT: Final = 2
_AND: Final = " · "


@dataclass
class Grid:
    """A table. Columns of `texts` may wrap between words; all others (ids, dates, amounts) stay on one line."""

    title: str
    columns: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    caption: str = ""
    _rows: list[tuple[Text, ...]] = field(default_factory=list)
    _sections: set[int] = field(default_factory=set)

    def add_row(self, *cells: str | Text) -> None:
        """Add a row; control characters are shown by their codes."""
        self._rows.append(tuple(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in cells))

    def add_section(self) -> None:
        """Draw a line below the rows so far."""
        self._sections.add(len(self._rows) - 1)

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Lines that fit the screen."""
        yield Text(self.title, "bold")
        room, number = options.max_width, len(self.columns)
        ranges = [self._range(place) for place in range(number)]
        if found := widths(ranges, room - _FRAME * number + 1):
            yield self._table(found, Table(box=box.HEAVY_HEAD, pad_edge=False))
        elif found := widths(ranges, room - _GAP * (number - 1)):
            yield self._table(found, Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False))
        else:
            for row in self._rows:
                yield from _record(self.columns, row, room)
        if self.caption:
            yield Text(self.caption, "italic")

    def _range(self, place: int) -> tuple[int, int]:
        """The fewest and the most screen columns that a column can use."""
        name = self.columns[place]
        cells = [row[place] for row in self._rows if place < len(row)]
        most = max((cell.cell_len for cell in cells), default=0)
        least = min(_longest_word(cells), _WORD) if name in self.texts else most
        return max(least, _longest_word([Text(name)])), max(most, Text(name).cell_len)

    def _table(self, found: Sequence[int], made: Table) -> Table:
        for name, width in zip(self.columns, found, strict=True):
            right = name in self.numbers
            made.add_column(name, justify="right" if right else "left", width=width, overflow="fold")
        for place, row in enumerate(self._rows):
            made.add_row(*row, end_section=place in self._sections)
        return made


def widths(ranges: Sequence[tuple[int, int]], room: int) -> list[int] | None:
    """Each column's width between its least and its most, as wide as there is room; None if there is too little."""
    found = [least for least, _ in ranges]
    spare = room - sum(found)
    if spare < 0:
        return None
    wanting = sorted(range(len(ranges)), key=lambda place: ranges[place][1] - ranges[place][0])
    for nth, place in enumerate(wanting):
        more = min(ranges[place][1] - ranges[place][0], spare // (len(wanting) - nth))
        found[place] += more
        spare -= more
    return found


def _record(columns: Sequence[str], row: Sequence[Text], room: int) -> Iterator[RenderableType]:
    """A row as its first value and, indented below, the others with their names; lines break only between values."""
    pairs = [
        Text.assemble((f"{name} ", "dim") if name else "", cell)
        for name, cell in zip_longest(columns, row, fillvalue="")
        if isinstance(cell, Text) and cell.plain
    ]
    if pairs and row[0].plain:
        yield pairs.pop(0)
    line = Text()
    for pair in pairs:
        if line and line.cell_len + len(_AND) + pair.cell_len > room - _INDENT:
            yield Padding(line, (0, 0, 0, _INDENT), expand=False)
            line = Text()
        line = Text.assemble(line, _AND, pair) if line else pair
    if line:
        yield Padding(line, (0, 0, 0, _INDENT), expand=False)


def _longest_word(texts: Sequence[Text]) -> int:
    return max((Text(word).cell_len for text in texts for word in text.plain.split()), default=1)

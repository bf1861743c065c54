"""Tables fit the screen: nothing is cut, whatever its width."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.items.run import ItemProgress
from impact_source.shown import visible
from impact_sync.console.grid import Grid, widths
from impact_sync.console.screen import bar
from impact_sync.load.words import in_words
from rich.console import Console

WORDS = st.text("abcdefghij0123456789.-", min_size=1, max_size=30)
ROWS = st.lists(st.tuples(WORDS, WORDS, st.lists(WORDS, max_size=9).map(" ".join)), min_size=1, max_size=4)


def printed(grid: Grid, width: int) -> list[str]:
    """The lines on a screen of this width."""
    out = StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(grid)
    return [line.rstrip() for line in out.getvalue().split("\n")]


@given(ROWS, st.integers(40, 160))
def test_nothing_is_cut_and_no_line_is_too_long(rows: list[tuple[str, str, str]], width: int) -> None:
    """Ids and amounts stay on one line; texts keep every character; no line is wider than the screen."""
    grid = Grid("Title", ("action", "amount", "note"), numbers=("amount",), texts=("note",))
    for row in rows:
        grid.add_row(*row)
    lines = printed(grid, width)
    assert max(map(len, lines)) <= width
    for action, amount, note in rows:
        assert any(action in line for line in lines)
        assert any(amount in line for line in lines)
        shown = "".join("".join(lines).split())
        assert all(letter in shown for letter in note.replace(" ", ""))
    assert "…" not in "".join(lines)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), min_size=1, max_size=9), st.integers(1, 300))
def test_room_is_shared_between_columns(needs: list[tuple[int, int]], room: int) -> None:
    """No column gets less than it needs or more than it can use, and no room is left while one could use it."""
    ranges = [(least, least + more) for least, more in needs]
    found = widths(ranges, room)
    if found is None:
        assert sum(least for least, _ in ranges) > room
        return
    assert all(least <= width <= most for width, (least, most) in zip(found, ranges, strict=True))
    assert sum(found) == min(room, sum(most for _, most in ranges))


def test_records_stand_below_each_other_where_the_columns_do_not_fit() -> None:
    """The first value heads the record; the others follow by name, and lines break only between them."""
    grid = Grid("Synced", ("campaign", "read", "new", "commission"), numbers=("read", "new"), texts=("campaign",))
    grid.add_row("1000 Acme", "12,345", "1,234", "+1,234,567.89 USD, -1,234,567.89 EUR")
    assert printed(grid, 40) == [
        "Synced",
        "campaign 1000 Acme",
        "  read 12,345 · new 1,234",
        "  commission +1,234,567.89 USD,",
        "  -1,234,567.89 EUR",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Acme\nNote: all is well", r"Acme\nNote: all is well"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("tab\tbell\x07nul\x00del\x7f\x9b", r"tab\x09bell\x07nul\x00del\x7f\x9b"),
        ("line\u2028separator", r"line\u2028separator"),
        ("Café 日本 👩\u200d👩\u200d👧 שלום", "Café 日本 👩\u200d👩\u200d👧 שלום"),
    ],
)
def test_names_that_steer_a_screen_are_visible(text: str, shown: str) -> None:
    """Control characters, line ends and direction marks are shown as codes; everything else as it is."""
    assert visible(text) == shown
    grid = Grid("Title", ("name", "action"))
    grid.add_row(text, "1000.1")
    assert any(shown in line and "1000.1" in line for line in printed(grid, 80))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_bar_says_what_there_is_room_for(width: int) -> None:
    """The topic, the progress and the time are there on every terminal; the rest is left out, never cut."""
    out = Console(file=StringIO(), width=width, height=5, force_terminal=True, color_system=None, legacy_windows=False)
    with bar(out, in_words) as show:
        show(ItemProgress(done=123, of=45_678, waiting=2_000_000, per_second=12.3, requests_left=45_555))
    line = next(line for line in out.file.getvalue().splitlines() if "123" in line)  # type: ignore[attr-defined]
    assert "items" in line
    assert "123/45678" in line
    assert "0:00:0" in line
    assert "…" not in line
    assert ("12.3 a second" in line) == (width >= 60)
    assert ("45,555 requests left" in line) == (width >= 120)

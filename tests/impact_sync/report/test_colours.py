"""One colour, one meaning: everything on the page is painted from one palette, and the rest of it is grey."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from impact_sync.close.run import close
from impact_sync.report import page
from impact_sync.report.chart import STAGES
from impact_sync.report.restated import KINDS
from impact_sync.report.vega import COLOURS, DARK, SAME, colour
from playwright.sync_api import Browser

from tests.impact_sync.report.browser import opened
from tests.impact_sync.report.writing import written
from tests.support.account import Account

_GREYS = {"var(--soft)", "var(--line)", "var(--rule)"}


def painted(spec: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """What a chart paints in which colour: the values of its scales; what is only painted has no name."""
    if isinstance(spec, dict):
        if "range" in spec:
            yield from zip(spec["domain"], spec["range"], strict=True)
            spec = {name: value for name, value in spec.items() if name != "range"}
        for name, value in spec.items():
            yield from painted(value) if name != "values" else ()
    elif isinstance(spec, list):
        for value in spec:
            yield from painted(value)
    elif isinstance(spec, str) and (spec.startswith("var(") or re.fullmatch(r"#[0-9a-fA-F]{3,8}", spec)):
        yield "", spec


def test_each_name_has_one_colour_and_each_colour_one_meaning(account: Callable[..., Account]) -> None:
    """In charts, their keys and the bars of the cards, in a report that has them all."""
    world = account(days=120, per_day=8)
    world.first_sync()
    world.world.advance(days=20)
    world.sync()
    close(date(2026, 1, 1), force=True)
    world.world.advance(days=20)
    world.sync()
    html = written("--close", "2026-01").read_text()
    shown = set(re.findall(r'background: ([^"]+)"></i>([^<]+?)(?: [\d.]+%)?</li>', html))
    assert len(shown) >= 7
    painted_as = {(paint, name) for paint, name in shown}
    specs = json.loads(html.split('id="specs">')[1].split("</script>")[0])
    assert len(specs) >= 7
    for spec in specs.values():
        painted_as |= {(paint, name) for name, paint in painted(spec)}
    names, meanings = defaultdict(set), defaultdict(set)
    for paint, name in painted_as:
        if name:
            names[name].add(paint)
            meanings[paint].add(SAME.get(name, name))
    assert {name: paints for name, paints in names.items() if len(paints) > 1} == {}
    assert {paint: told for paint, told in meanings.items() if len(told) > 1} == {}
    assert {paint for paint, _ in painted_as} - _GREYS <= meanings.keys(), "what is painted has a name in a key"
    assert {SAME.get(name, name) for name in names} <= COLOURS.keys()
    assert set(re.findall(r'style="[^"]*?(?:color|background): ([^";]+)', html)) <= meanings.keys()


def test_the_palette_has_each_colour_once_and_the_rest_is_grey() -> None:
    """Light and dark; whatever is not a stage or a kind of change is without a hue."""
    for palette in (COLOURS, DARK):
        assert len(set(palette.values())) == len(palette)
    assert COLOURS.keys() == DARK.keys()
    told = {SAME.get(kind.capitalize(), kind.capitalize()) for kind in KINDS}
    assert COLOURS.keys() == {*STAGES.values(), "Reversed so far", *told}
    own = page.style().split("\n", 2)[2]  # the first two lines are the palette
    hues = [[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in re.findall(r"#[0-9a-f]{6}", own)]
    assert len(hues) > 8
    assert [one for one in hues if max(one) - min(one) > 25] == []
    with pytest.raises(KeyError):
        colour("Locked or paid")


def test_what_is_drawn_has_the_colours_of_the_keys(account: Callable[..., Account], running: Browser) -> None:
    """A bar in the browser is painted as the square beside its name."""
    world = account(days=60, per_day=8)
    world.first_sync()
    with opened(running, written()) as shown:
        for figure in shown.locator("figure").all():
            keys = figure.locator(".key i").evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
            bars = figure.locator(".mark-rect > path").evaluate_all("all => all.map(one => getComputedStyle(one).fill)")
            assert set(bars) <= set(keys), figure.inner_text()
            assert bars

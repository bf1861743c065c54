"""A browser that opens reports: Debian's Chromium, headless, in a timezone west of Greenwich."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, NARROW = 1280, 375
_DRAW_MS = 20_000


def find() -> str | None:
    """The browser: what `CHROMIUM` names, else the first one on the path."""
    return os.environ.get("CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A running browser; without one the test is skipped, or fails if `CI_BROWSER` is `required`."""
    path = find()
    if path is None:
        reason = "no browser: install Debian's chromium, or name one with CHROMIUM"
        if os.environ.get("CI_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield running
        finally:
            running.close()


@contextmanager
def opened(running: Browser, report: Path, width: int = WIDE) -> Iterator[Page]:
    """A report as a reader sees it once its charts are drawn; it must make no requests and log no errors."""
    with running.new_context(
        viewport={"width": width, "height": 900}, timezone_id="America/Los_Angeles", locale="en-US"
    ) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: None if request.url == report.as_uri() else wrong.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_selector("html[data-drawn]", timeout=_DRAW_MS, state="attached")
        yield page
        assert not wrong, wrong


def marks(page: Page) -> dict[str, int]:
    """How many bars each chart has, by title."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("figure")].map(figure =>
            [figure.querySelector("h3").textContent, figure.querySelectorAll(".mark-rect > path").length])"""
    )
    return {str(title): int(number) for title, number in found}


def table(page: Page, title: str) -> list[list[str]]:
    """The cells of a table below the charts, row by row, with a plain minus."""
    section = page.locator("section.table", has=page.get_by_role("heading", name=title, exact=True))
    rows: list[list[str]] = section.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return [[plain(cell) for cell in row] for row in rows]


def tiles(page: Page, currency: str) -> dict[str, tuple[str, str]]:
    """The figure and its change of each headline of a currency, with a plain minus."""
    panel = f'section.panel[data-currency="{currency}"] .tile'
    found: list[list[str]] = page.locator(panel).evaluate_all(
        """tiles => tiles.map(tile => ["dt", ".value", ".change"].map(
            part => tile.querySelector(part)?.textContent ?? ""))"""
    )
    return {name: (plain(value), plain(change)) for name, value, change in found}


PAINT = {"h2": "1 0 0", "thead th": "0 1 0", "tbody td": "0 0 1", ".tile": "0 1 1", "figcaption": "1 0 1"}
"""What `painted` shows of a printed page, each in its own colour."""


def painted(page: Page) -> list[list[str]]:
    """The parts in `PAINT` that have text on each printed page, in drawing order."""
    colours = [f"{what}, {what} * {{ color: rgb({c.replace('1', '255')}) !important; }}" for what, c in PAINT.items()]
    page.add_style_tag(content="* { print-color-adjust: exact; }" + "".join(colours))
    paper = page.pdf(prefer_css_page_size=True, tagged=False)
    names = {f"{colour} RG {colour} rg".encode(): what for what, colour in PAINT.items()}
    found = []
    for stream in re.findall(rb"/FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", paper, re.DOTALL):
        text = zlib.decompressobj().decompress(stream)
        drawn = [names[line] for line in text.splitlines() if line in names]
        if drawn:
            found.append(drawn)
    return found


def plain(text: str) -> str:
    """A text with the minus that a keyboard has."""
    return text.replace("\N{MINUS SIGN}", "-")

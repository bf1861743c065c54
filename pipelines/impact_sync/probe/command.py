"""`impact check --probe` as the user sees it: an answer sheet without anything of the account."""

from __future__ import annotations

from impact_source import Settings
from impact_source.api.client import Client
from rich.text import Text

from ..console.exits import Exit
from ..console.failures import complain
from ..console.screen import Step, console, progress, table
from .asking import MOST
from .run import Sheet, probe

_TOLD, _UNTOLD = "green", "yellow"


def run() -> int:
    """Ask the account, print the answers, return the exit code."""
    settings = Settings.resolve()
    with progress(_in_words) as show_progress, Client(settings) as client:
        sheet = probe(client, settings.campaign_ids, show_progress)
    show(sheet)
    return Exit.DONE if sheet.error is None else complain(sheet.error)


def show(sheet: Sheet) -> None:
    """Print the sheet."""
    out, rows = console(), table("impact check --probe", "question", "answer", texts=("question", "answer"))
    for topic, answer in sheet.answers.items():
        rows.add_row(topic, Text(answer.text, _TOLD if answer.told else _UNTOLD))
    out.print(
        f"How the API behaves where its documents are silent, learned from {sheet.requests} requests that only read; "
        "the sheet holds no id, name, amount or date of the account, so you can send it to us as it is."
    )
    out.print(rows)


def _in_words(sent: int) -> Step:
    return Step("probing", "requests", sent, MOST, "at most")

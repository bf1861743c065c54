"""The parts of the documentation that are made from the code: `make docs` writes them, the tests compare them.

A page holds such a part between two comments; the first one names it. What is in between is replaced.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
from impact_sync.cli import main
from impact_sync.views import texts
from impact_sync.views.header import about, columns

ROOT = Path(__file__).parents[1]
COMMANDS = "pipelines/impact_sync"
"""The folder whose page has a section for each command, and in which a command may have a folder with its own page."""
_PART = re.compile(r"(<!-- made by `make docs` from (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_GUIDES = {
    "check": f"{COMMANDS}/probe",
    "items": "sources/impact_source/items",
    "show": f"{COMMANDS}/verify",
    "publish": f"{COMMANDS}/lake",
    "sandbox": "sources/impact_sandbox",
}
"""Where the page of a command is, if not in a folder of its name."""
_WIDTH = 100


def pages() -> dict[str, str]:
    """The text of every page, by its path."""
    folders = (ROOT.glob("*.md"), *((ROOT / root).rglob("*.md") for root in ("sources", "pipelines", "tests")))
    return {str(path.relative_to(ROOT)): path.read_text() for found in folders for path in sorted(found)}


def made(page: str, text: str) -> str:
    """The text of a page with the parts that are made from the code as they should be."""
    return _PART.sub(lambda part: f"{part[1]}{_PARTS[part[2]](Path(page).parent)}\n{part[3]}", text)


def _commands(folder: Path) -> str:
    """A table of the commands, with links."""
    rows = ["| command | does | more |", "|---|---|---|"]
    for name, command in main.commands.items():
        does = command.get_short_help_str(limit=1000).rstrip(".")
        page = _relative(f"{COMMANDS}/README.md", folder)
        rows.append(f"| [`impact {name}`]({page}#impact-{name}) | {does} | {_guide(name, folder)} |")
    return "\n".join(rows)


def _help(folder: Path) -> str:
    """What `--help` prints, for every command."""
    context = click.Context(main, info_name="impact", terminal_width=_WIDTH, **main.context_settings)
    sections = [f"## Options of every command\n\n{_block(context)}"]
    for name, command in main.commands.items():
        sections.append(f"## impact {name}")
        if guide := _guide(name, folder):
            sections.append(f"More: {guide}")
        sections += _sections(click.Context(command, info_name=name, parent=context), 3)
    return "\n\n".join(sections)


def _sections(context: click.Context, level: int) -> Iterator[str]:
    yield _block(context)
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            inner = click.Context(command, info_name=name, parent=context)
            yield f"{'#' * level} {inner.command_path}"
            yield from _sections(inner, level + 1)


def _block(context: click.Context) -> str:
    return f"```text\n{context.get_help()}\n```"


def _guide(command: str, folder: Path) -> str:
    """A link to the page of a command, named by its title; empty if it has none."""
    path = f"{_GUIDES.get(command, f'{COMMANDS}/{command}')}/README.md"
    if not (ROOT / path).exists():
        return ""
    title = (ROOT / path).read_text().split("\n")[0].removeprefix("# ")
    return f"[{title}]({_relative(path, folder)})"


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder)


def _views(folder: Path) -> str:
    """Each view and function: its question, grain and columns, from the header of its SQL."""
    functions = {path.stem: path.read_text() for path in (ROOT / folder / "functions").glob("*.sql")}
    found = sorted((functions | texts()).items())
    index = ["| view or function | answers |", "|---|---|"]
    index += [f"| [{name}](#{name}) | {about(text).partition('?')[0]}? |" for name, text in found]
    return "\n\n".join(["\n".join(index), *(_view(name, text) for name, text in found)])


def _view(name: str, text: str) -> str:
    rows = [f"| `{column}` | {meaning} |" for column, meaning in columns(text).items()]
    return "\n".join([f"### {name}", "", about(text), "", "| column | |", "|---|---|", *rows])


_PARTS = {"commands": _commands, "help": _help, "views": _views}


def write() -> None:
    """Write these parts into their pages."""
    for page, text in pages().items():
        if (wanted := made(page, text)) != text:
            (ROOT / page).write_text(wanted)


if __name__ == "__main__":
    write()

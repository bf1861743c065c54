"""Questions about an instant, asked like a table: `from impact.accrued_at('2026-02-01')`.

Table macros in DuckDB, functions in Postgres, one file of plain SQL each; other destinations have none. An argument is
an instant, or a text that names one by its offset. A date, or a time without an offset, is the account's, whatever the
time zone of the session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from ..header import columns, comment

PARAMETERS = {"accrued_at": ("moment",), "roll_forward": ("opens", "closes")}
"""The functions, with the names of their arguments."""
_OFFSET = "[A-SU-Za-z]|[T: ][0-9]+([.][0-9]+)? ?[+-][0-9]{1,2}(:?[0-9]{2})* *$"
"""What a text has that names an instant: Z, the name of a zone, or an offset at its end, however it is spelt.

Postgres takes more spellings than DuckDB, and `timestamp` ignores the offset: what is left out here would be wrong.
"""
INSTANT = f"""
case
    when regexp_matches(cast($value as varchar), '{_OFFSET}') then cast(cast($value as varchar) as timestamptz)
    else cast(cast($value as varchar) as timestamp) at time zone 'account'
end
"""
"""The instant that an argument means, `$value`, in DuckDB's dialect."""
COLUMNS = " Columns: "
"""What stands before the columns in a comment."""
_AS_KNOWN = """
with asked as (
    select $moment as known_at
),
actions as (
    select * from action_history
    where valid_from <= (select known_at from asked) and (valid_to is null or valid_to > (select known_at from asked))
),
known_runs as (
    select * from sync_runs where least(until, started) <= (select known_at from asked)
),
synced_until as (
{synced_until}
),
settlement as (
{settlement}
)
{text}
"""
"""A question about `settlement`, as that was known at an instant."""


@dataclass(frozen=True)
class Function:
    """A function: its header, and its body in DuckDB's dialect, in which `$name` is an argument.

    `schema` is that of what it reads, where it has to be named.
    """

    name: str
    text: str
    body: str
    schema: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its arguments."""
        return PARAMETERS[self.name]

    @property
    def about(self) -> str:
        """The beginning of its comment: what it answers, and a mark of its SQL."""
        return comment(self.text + self.body + INSTANT + self.schema)

    @property
    def comment(self) -> str:
        """Its comment, with its columns: finding these takes longer than a query."""
        told = "; ".join(f"{name}: {text}" for name, text in columns(self.text).items())
        return f"{self.about}{COLUMNS}{told}"

    def filled(self, meaning: Callable[[str], str]) -> str:
        """Its body, with what each argument means."""
        return re.sub(r"\$(\w+)", lambda found: meaning(found[1]), self.body)


def question(name: str) -> str:
    """The SQL of a function as a query with its header, in DuckDB's dialect."""
    return files(__package__).joinpath(f"{name}.sql").read_text()


def find_functions(views: Mapping[str, str], localize: Callable[[str], str], schema: str) -> Iterator[Function]:
    """The functions; `views` are the texts of the views, `localize` puts the account's zone into SQL."""
    for name in PARAMETERS:
        text = localize(question(name))
        body = "\n".join(line for line in text.split("\n") if not line.startswith("--"))
        if "from settlement" in body:
            known = views["synced_until"].replace("join sync_runs", "join known_runs")
            body = _AS_KNOWN.format(synced_until=known, settlement=views["settlement"], text=body)
        yield Function(name, text, body, schema)

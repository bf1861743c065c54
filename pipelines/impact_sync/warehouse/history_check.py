"""What must hold of versions: one open for each row, equal to it, and intervals that adjoin. Read only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import dlt

_SHOWN = 5
"""Keys that a fault names."""


@dataclass(frozen=True)
class Versioned:
    """A table whose rows have versions: the names of both, the key, and the columns that both have."""

    table: str
    history: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


class Wrong(StrEnum):
    """What can be wrong, as it is shown."""

    REPEATED = "versions that began at one instant, several times"
    SEVERAL = "rows with several open versions"
    NONE = "rows without an open version"
    DIFFERENT = "open versions that are not as their row is"
    STRAY = "open versions whose row is not there"
    APART = "versions that do not end where the next begins"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a history: how many rows it concerns, and the keys of a few."""

    history: str
    wrong: Wrong
    count: int
    keys: tuple[str, ...]

    def __str__(self) -> str:
        """In words."""
        more = ", …" if self.count > len(self.keys) else ""
        return f"{self.history}: {self.count:,} {self.wrong} ({', '.join(self.keys)}{more})"


def find_faults(pipeline: dlt.Pipeline, versioned: Versioned, before: datetime | None) -> Iterator[Fault]:
    """What is wrong with one history.

    A run that broke off leaves versions that are not settled yet, of rows that it wrote after the run before had ended
    (`before`): they are no fault, the next run settles them.
    """
    with pipeline.sql_client() as client:
        names = (versioned.table, versioned.history, "item_fetches")
        table, history, fetches = map(client.make_qualified_table_name, names)
        quoted = {name: client.escape_column_name(name) for name in versioned.columns}
        moment = client.capabilities.escape_literal(before.isoformat()) if before else ""
        for wrong, sql in _queries(versioned, (table, history, fetches), quoted, moment):
            key = " || ' ' || ".join(versioned.key)
            ((count,),) = client.execute_sql(f"select count(*) from ({sql}) found") or [(0,)]
            if count:
                keys = client.execute_sql(f"select distinct {key} from ({sql}) found order by 1 limit {_SHOWN}") or []
                yield Fault(versioned.history, wrong, int(count), tuple(row[0] for row in keys))


def _queries(
    versioned: Versioned, names: tuple[str, str, str], quoted: dict[str, str], moment: str
) -> Iterator[tuple[Wrong, str]]:
    """For each thing that can be wrong the keys of which it is; `a` is the table, `h` a version."""
    table, history, fetches = names
    key = ", ".join(versioned.key)
    same = " and ".join(f"h.{name} = a.{name}" for name in versioned.key)
    of_h, of_a = (", ".join(f"{alias}.{name}" for name in versioned.key) for alias in "ha")

    def settled(what: str) -> str:
        return f"{what} <= cast({moment} as timestamp with time zone)" if moment else "1 = 1"

    yield Wrong.REPEATED, f"select {key} from {history} group by {key}, valid_from having count(*) > 1"
    yield (
        Wrong.SEVERAL,
        (
            f"select {key} from {history} where valid_to is null and {settled('synced_at')} group by {key} "
            "having count(distinct valid_from) > 1"
        ),
    )
    yield (
        Wrong.NONE,
        (
            f"select {of_a} from {table} a where {settled('a.synced_at')} and not exists "
            f"(select 1 from {history} h where {same} and h.valid_to is null)"
        ),
    )
    compared = [quoted[name] for name in versioned.columns if name not in versioned.key]
    differs = " or ".join(f"a.{name} is distinct from h.{name}" for name in compared)
    yield (
        Wrong.DIFFERENT,
        (
            f"select {of_h} from {table} a join {history} h on {same} and h.valid_to is null "
            f"where {settled('a.synced_at')} and {settled('h.synced_at')} and ({differs})"
        ),
    )
    if "action_id" in versioned.key:  # an action whose row is gone is missing, which verify sees for itself
        listed = f"select 1 from {fetches} f where f.action_id = h.action_id and not ({settled('f.fetched_at')})"
        yield (
            Wrong.STRAY,
            (
                f"select {of_h} from {history} h where h.valid_to is null and {settled('h.synced_at')} "
                f"and not exists (select 1 from {table} a where {same}) and not exists ({listed})"
            ),
        )
    # An item can be gone for a while; an action is not.
    apart = "valid_to <> following" if len(versioned.key) == 1 else "valid_to > following"
    yield (
        Wrong.APART,
        (
            f"select {key} from (select {key}, valid_from, valid_to, lead(valid_from) over (partition by {key} "
            f"order by valid_from, valid_to) as following from {history}) h where valid_to <= valid_from or {apart}"
        ),
    )

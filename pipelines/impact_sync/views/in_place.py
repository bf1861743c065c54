"""Replaces views in Postgres in place: grants stay, and views that others built on them keep working.

Only a view whose columns have changed has to be dropped; its grants are given again. If somebody else's view is built
on it, the old one stays, and a warning names what is in the way. The data does not wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from dlt.destinations.sql_client import SqlClientBase

_log = logging.getLogger(__name__)
_GRANTS = """
select format('grant %%s on %%s to %%s%%s', privilege_type, c.oid::regclass,
    case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
    case when is_grantable then ' with grant option' else '' end)
from pg_class c, aclexplode(c.relacl) where c.oid = to_regclass(%s) and grantee <> c.relowner
"""
_COLUMN_GRANTS = """
select format('grant %%s (%%I) on %%s to %%s%%s', privilege_type, attname, attrelid::regclass,
    case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
    case when is_grantable then ' with grant option' else '' end)
from pg_attribute, aclexplode(attacl) where attrelid = to_regclass(%s) and not attisdropped
"""
_BUILT_ON = """
select distinct format('%%I.%%I', n.nspname, c.relname)
from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class c on c.oid = r.ev_class
join pg_namespace n on n.oid = c.relnamespace
where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
    and d.refobjid = to_regclass(%s) and r.ev_class <> d.refobjid
order by 1
"""


class Attempts:
    """Statements in an open transaction that may fail without ending it."""

    def __init__(self, client: SqlClientBase[Any]) -> None:
        self._client = client

    def tried(self, *statements: str) -> Exception | None:
        """Execute all of the statements or none; return the error if none."""
        try:
            with self._savepoint():
                for sql in statements:
                    self.execute(sql)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a view, the data has landed
            return error
        return None

    def execute(self, sql: str, *params: str) -> list[tuple[Any, ...]]:
        """Rows of a statement. dlt's own way ends the complete transaction if a statement fails."""
        with self._client.native_connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self.execute("savepoint impact_view")
        try:
            yield
        except Exception:
            self.execute("rollback to savepoint impact_view")
            raise
        self.execute("release savepoint impact_view")


class Views(Attempts):
    """Our views on one server; `names` are the full names of all of them."""

    def __init__(
        self, client: SqlClientBase[Any], names: dict[str, str], reads: Callable[[str], Collection[str]]
    ) -> None:
        super().__init__(client)
        self._names, self._reads = names, reads

    def replace(self, wanted: dict[str, str], rendered: dict[str, str]) -> set[str]:
        """Bring views up to date in an open transaction, each after those that it reads; return those that now are."""
        done: set[str] = set()
        for name, sql in rendered.items():
            if name in done:
                continue
            if self.tried(f"create or replace view {self._names[name]} as {sql}") is None:
                done.add(name)
                continue
            # Its columns have changed: it and our views that read it are dropped and created again.
            above = self._above(name, wanted)
            if (error := self.tried(*self._recreation(above, rendered))) is None:
                done.update(above)
            else:
                done.difference_update(above)
                self._complain(name, above, error)
        return done

    def _recreation(self, names: list[str], rendered: dict[str, str]) -> Iterator[str]:
        grants = [
            row[0]
            for name in names
            for sql in (_GRANTS, _COLUMN_GRANTS)
            for row in self.execute(sql, self._names[name])
        ]
        yield from (f"drop view if exists {self._names[name]}" for name in reversed(names))
        yield from (f"create view {self._names[name]} as {rendered[name]}" for name in names)
        yield from grants

    def _above(self, name: str, wanted: dict[str, str]) -> list[str]:
        """The view and those that read it, directly or not, each after those that it reads."""
        found = [name]
        for other, text in wanted.items():
            if other != name and set(found) & set(self._reads(text)):
                found.append(other)
        return found

    def _complain(self, name: str, above: list[str], error: Exception) -> None:
        ours = {full.replace('"', "") for full in self._names.values()}
        others = [row[0] for one in above for row in self.execute(_BUILT_ON, self._names[one]) if row[0] not in ours]
        if others:
            why = f"{', '.join(dict.fromkeys(others))} depends on it: drop that, run `impact sync`, and create it again"
        else:
            why = str(error).strip().splitlines()[0]
        _log.warning("the view %s could not be brought up to date and stays as it was: %s", name, why)

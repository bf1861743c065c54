"""Creates the functions: macros in DuckDB, functions for every type of argument in Postgres."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import product

from impact_source.sql import Tables

from ..header import columns
from ..in_place import Attempts
from . import COLUMNS, INSTANT, Function, find_functions

_log = logging.getLogger(__name__)
_KINDS = {
    "timestamptz": "$value",
    "timestamp": "$value at time zone 'account'",
    "date": "cast($value as timestamp) at time zone 'account'",
    "text": INSTANT,
}
"""The types of an argument in Postgres, and the instant that each means. The others call the first."""
_THERE = {
    "duckdb": "select function_name, comment from duckdb_functions() where function_type = 'table_macro' "
    "and schema_name = %s and database_name = current_database()",
    "postgres": "select proname, obj_description(oid, 'pg_proc') from pg_proc "
    "where pronamespace = to_regnamespace(quote_ident(%s))",
}
"""Functions and their comments, by dialect."""
_TYPES = {"month": "date", "actions": "bigint", "actions_reversed": "bigint"}
_TYPES |= dict.fromkeys(("media_partner_id", "media_partner_name", "currency"), "text")
"""Types of columns; the others are money."""
_GRANTS = """
select format('revoke all on function %%s from public', p.oid::regprocedure)
from pg_proc p where p.oid = to_regprocedure(%s) and p.proacl is not null
union all
select format('grant execute on function %%s to %%s%%s', p.oid::regprocedure,
    case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
    case when is_grantable then ' with grant option' else '' end)
from pg_proc p, aclexplode(p.proacl) where p.oid = to_regprocedure(%s) and grantee <> p.proowner
"""


def create_functions(
    tables: Tables,
    dataset: str,
    views: Mapping[str, str],
    reads: Callable[[str], Collection[str]],
    localize: Callable[[str], str],
) -> None:
    """Create the functions for whose views there are tables, and again if they have changed with this version."""
    if tables.dialect not in _THERE or not {"settlement", "movements"} <= views.keys():
        return
    schema = _schema(tables, dataset) if tables.dialect == "duckdb" else ""
    wanted = list(find_functions(views, localize, schema))
    kinds = 1 if tables.dialect == "duckdb" else len(_KINDS)
    known = tables.execute(_THERE[tables.dialect], dataset)
    there = Counter((name, (told or "").partition(COLUMNS)[0]) for name, told in known)
    if all(there[one.name, one.about] == kinds ** len(one.parameters) for one in wanted):
        return
    if tables.dialect == "duckdb":
        tables.execute("; ".join(_macro(tables, one, reads(one.body), localize) for one in wanted))
        return
    with tables.transaction() as client:
        for one in wanted:
            _replace(Attempts(client), tables, one, localize)


def _schema(tables: Tables, dataset: str) -> str:
    """Our schema, as a macro can name it: by its bare name, unless the file is called the same."""
    ((database,),) = tables.execute("select current_database()")
    return f"{dataset}.{dataset}" if database == dataset else dataset


def _macro(tables: Tables, one: Function, read: Collection[str], localize: Callable[[str], str]) -> str:
    """Create it in DuckDB, which looks up what a macro reads when it is called: so its tables need their schema."""
    body = one.filled(lambda name: localize(INSTANT.replace("$value", name)))
    for source in read:
        body = re.sub(rf"\b(from|join) {source}\b", rf"\1 {one.schema}.{source}", body)
    name = tables.name(one.name)
    return (
        f"create or replace macro {name}({', '.join(one.parameters)}) as table ({body}); "
        f"comment on macro table {name} is {tables.literal(one.comment)}"
    )


def _replace(attempts: Attempts, tables: Tables, one: Function, localize: Callable[[str], str]) -> None:
    """Create it in Postgres, for every type of argument; in place, or again with its grants if its columns changed."""
    created, signatures = list(_overloads(tables, one, localize)), list(_signatures(tables, one))
    if attempts.tried(*created) is None:
        return
    grants = [row[0] for signature in signatures for row in attempts.execute(_GRANTS, signature, signature)]
    drops = [f"drop function if exists {signature}" for signature in reversed(signatures)]
    if error := attempts.tried(*drops, *created, *grants):
        why = str(error).strip().splitlines()[0]
        _log.warning("the function %s could not be brought up to date and stays as it was: %s", one.name, why)


def _overloads(tables: Tables, one: Function, localize: Callable[[str], str]) -> Iterator[str]:
    listed = ", ".join(f"{name} {_TYPES.get(name, 'numeric')}" for name in columns(one.text))
    told = tables.literal(one.comment)
    for kinds, signature in zip(_combinations(one), _signatures(tables, one), strict=True):
        body = tables.render(one.filled(str))
        if set(kinds) != {"timestamptz"}:
            given = (
                localize(_KINDS[kind].replace("$value", name)) for name, kind in zip(one.parameters, kinds, strict=True)
            )
            values = ", ".join(tables.render(f"select {value}").removeprefix("SELECT ") for value in given)
            body = f"select * from {tables.name(one.name)}({values})"
        taken = ", ".join(f"{name} {kind}" for name, kind in zip(one.parameters, kinds, strict=True))
        yield (
            f"create or replace function {tables.name(one.name)}({taken}) returns table ({listed}) "
            f"language sql stable as $impact${body}$impact$"
        )
        yield f"comment on function {signature} is {told}"


def _signatures(tables: Tables, one: Function) -> Iterator[str]:
    return (f"{tables.name(one.name)}({', '.join(kinds)})" for kinds in _combinations(one))


def _combinations(one: Function) -> Iterator[tuple[str, ...]]:
    """The types of the arguments of each function of this name."""
    return product(_KINDS, repeat=len(one.parameters))

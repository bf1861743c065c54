"""How a warehouse is queried: one dialect over bare names, whatever the warehouse uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import dlt
import pytest
from impact_source.dialect import instant, literal, quote, read_statements, transpile
from impact_source.sql import in_utc

_NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        (
            'select sum("rows") from sync_windows where campaign_id = %s and pass in (%s, %s)',
            (
                'SELECT SUM("rows") FROM "impact"."sync_windows" AS sync_windows '
                "WHERE campaign_id = %s AND pass IN (%s, %s)"
            ),
        ),
        (
            "with actions as (select * from action_history) select a.id from actions a join campaigns c on c.id = a.id",
            (
                'WITH actions AS (SELECT * FROM "impact"."action_history" AS action_history) '
                'SELECT a.id FROM actions AS a JOIN "impact"."campaigns" AS c ON c.id = a.id'
            ),
        ),
        ("select note from impact.actions", "SELECT note FROM impact.actions"),
    ],
)
def test_a_query_is_rendered_for_postgres(sql: str, sent: str) -> None:
    """Bare names get their full form, except those that the query defines; parameters stay."""
    nowhere = dlt.destinations.postgres("postgresql://nobody:none@127.0.0.1:1/nothing")
    pipeline = dlt.pipeline("impact", destination=nowhere, dataset_name="impact")
    assert transpile(sql, pipeline.sql_client()) == sent


def test_instants_are_read_in_utc() -> None:
    """Some drivers return an instant in another zone, or without one."""
    east = timezone(timedelta(hours=9))
    assert [in_utc(moment) for moment in (_NOON, _NOON.astimezone(east), _NOON.replace(tzinfo=None), None)] == [
        _NOON,
        _NOON,
        _NOON,
        None,
    ]


def test_names_texts_and_instants_are_quoted() -> None:
    """Nothing in a value ends the text that contains it."""
    assert quote('a "b"') == '"a ""b"""'
    assert literal("it's") == "'it''s'"
    assert instant(_NOON) == "cast('2026-01-02T12:00:00+00:00' as timestamp with time zone)"


def test_a_file_of_statements_is_read_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement begins after its name; what comes before the first is about the file."""
    folder = tmp_path / "somebodys_statements"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "some.sql").write_text("-- About both.\n\n-- name: one\nselect $a\n\n-- name: other\n-- Why.\nselect 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = read_statements(folder.name, "some.sql")
    assert {name: text.template for name, text in found.items()} == {"one": "select $a", "other": "-- Why.\nselect 2"}

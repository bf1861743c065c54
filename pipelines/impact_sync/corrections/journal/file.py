"""What was sent, in a file beside the database: a database restored to an older copy must not send again.

One JSON object per line, appended and on disk before its call leaves. Lines of every release can be read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from impact_source.errors import ConfigurationError

from ...warehouse.own_tables import MONEY, TIME
from .calls import Call
from .columns import COLUMNS, NEVER_LEFT, Correction, Status

_KINDS = {column.name: column.type for column in COLUMNS}


class Disagreement(ConfigurationError):
    """The database and the file disagree on what was sent: nothing may be sent."""


@dataclass
class Known:
    """What the file knows: plans, rows of the calls that left, their statuses, the submissions that answered them."""

    plans: set[str] = field(default_factory=set)
    rows: dict[str, list[Correction]] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    batches: dict[str, str] = field(default_factory=dict)

    @property
    def gone(self) -> set[str]:
        """Calls that left, and were neither released by a person nor stopped before they got anywhere."""
        return {call for call, status in self.standing.items() if status not in NEVER_LEFT}


class JournalFile:
    """The file of one warehouse. Only one process at a time writes to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def planned(self, plan_id: str, at: datetime) -> None:
        """Record that a plan was made here."""
        self._append({"at": at, "event": "planned", "plan_id": plan_id})

    def leaves(self, call: Call, claim: str, at: datetime) -> None:
        """Record on disk that a call is about to leave. Raises `ConfigurationError` if that fails."""
        self._append(_leaves(call.having(status=Status.SENDING, claim=claim, claimed_at=at), at))

    def stands(self, call: Call, status: Status, at: datetime, batch_id: str | None = None) -> None:
        """Record the status of a call after it left, or that it did not leave."""
        self._append(_stands(call, status, at, batch_id))

    def rewrite(self, calls: Sequence[Call], at: datetime) -> None:
        """Add what the file lacks of all calls of the table."""
        self._append(*_lacking(self.read(), calls, at))

    def read(self) -> Known:
        """Everything the file knows. A last line that was cut off belongs to a call that did not leave."""
        known = Known()
        try:
            lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        except OSError as error:
            raise self._unusable(error) from None
        for number, line in enumerate(lines[:-1], 1):
            if not line:
                continue
            try:
                told = json.loads(line)
                if told["event"] == "planned":
                    known.plans.add(told["plan_id"])
                    continue
                call = told["call_id"]
                if told["event"] == "leaves":
                    known.rows[call] = [_typed(row) for row in told["rows"]]
                    known.plans.update(row.plan_id for row in known.rows[call])
                    known.standing[call] = Status.SENDING
                else:
                    known.standing[call] = told["status"]
                if told.get("batch_id"):
                    known.batches[call] = told["batch_id"]
            except (ValueError, KeyError, TypeError) as error:
                msg = f"{self.path}, line {number}, cannot be read ({error}): restore the file from a backup"
                raise Disagreement(msg) from None
        return known

    def compare(self, held: Mapping[str, str], plans: Collection[str]) -> Known:
        """What the file knows.

        `held` is the status of each call in the table, `plans` the plans that were made beside this file if it is the
        table's own. Raises `Disagreement` if the file lacks one of these, or the table a call that left, or has it as
        planned.
        """
        known = self.read()
        if foreign := sorted(set(plans) - known.plans):
            what = f"does not have plan {foreign[0]}" if self.path.exists() else "is not there"
            msg = (
                f"{self.path} {what}: the database was copied or moved without the file, and its corrections may have "
                "been sent elsewhere. Nothing was sent. Put the file beside the database, or go on where it is; only "
                "if it is lost for good, run `impact corrections resolve --to-file`"
            )
            raise Disagreement(msg)
        planned = [call for call in known.gone if held.get(call) in NEVER_LEFT]
        lacking = [call for call in known.gone if call not in held]
        if planned or lacking:
            counts = [f"{len(planned):,} calls as sent that the table has as planned"] if planned else []
            counts += [f"{len(lacking):,} calls as sent that the table does not have"] if lacking else []
            msg = (
                f"{self.path} has {' and '.join(counts)}: the database was restored from an older copy, and applying "
                "could send them twice. Nothing was sent. Run `impact corrections resolve --from-file` to bring the "
                "table up to date with the file"
            )
            raise Disagreement(msg)
        return known

    def _append(self, *entries: Mapping[str, Any]) -> None:
        lines = b"".join(json.dumps(one, default=_plain, ensure_ascii=False).encode() + b"\n" for one in entries)
        try:
            created = not self.path.exists()
            with self.path.open("ab+") as file:
                _drop_cut_off(file)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            if created:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> ConfigurationError:
        msg = f"cannot use the journal file {self.path}: {error}. Nothing is sent without it"
        return ConfigurationError(msg)


def restored(known: Known, held: Mapping[str, str]) -> Sequence[Correction]:
    """Rows that a table lacks, or has as planned, with what the file knows of their outcome."""
    rows = []
    for call in sorted(known.gone):
        if call not in held or held[call] in NEVER_LEFT:
            batch, status = known.batches.get(call), Status(known.standing[call])
            if status in (Status.SENDING, Status.ACCEPTED, Status.UNKNOWN):
                status = Status.ACCEPTED if batch else Status.UNKNOWN
            outcome = "known from the journal file alone: the database was restored to an older copy"
            rows += [replace(row, status=status, batch_id=batch, outcome=outcome) for row in known.rows[call]]
    return rows


def _leaves(call: Call, at: datetime) -> Mapping[str, Any]:
    rows = [{name: value for name, value in vars(row).items() if value is not None} for row in call.rows]
    return {"at": at, "event": "leaves", "call_id": call.id, "rows": rows}


def _stands(call: Call, status: str, at: datetime, batch_id: str | None) -> Mapping[str, Any]:
    return {"at": at, "event": "stands", "call_id": call.id, "status": status, "batch_id": batch_id}


def _lacking(known: Known, calls: Sequence[Call], at: datetime) -> Iterator[Mapping[str, Any]]:
    """What a file lacks of these calls. Plans come last: a file that is cut off has not got all of them."""
    for call in calls:
        if call.status not in NEVER_LEFT and call.id not in known.rows:
            yield _leaves(call, at)
            yield _stands(call, Status.DIVERGED if call.diverged else call.status, at, call.first.batch_id)
    for plan_id in sorted({call.first.plan_id for call in calls} - known.plans):
        yield {"at": at, "event": "planned", "plan_id": plan_id}


def _drop_cut_off(file: BinaryIO) -> None:
    """Drop an incomplete last line: its writer died before the call left."""
    end = file.seek(0, os.SEEK_END)
    if not end:
        return
    file.seek(end - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)


def _sync_folder(folder: Path) -> None:
    """Flush the name of a new file to disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON does not know
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _typed(row: dict[str, Any]) -> Correction:
    typed: dict[str, Any] = dict.fromkeys(_KINDS)
    for name, value in row.items():
        kind = _KINDS[name]
        typed[name] = Decimal(value) if kind == MONEY else datetime.fromisoformat(value) if kind == TIME else value
    return Correction(**typed)

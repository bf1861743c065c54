"""Singer's tap as a process: what it discovers, what it reads, and how its schema types a record of the API."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from impact_sandbox import Sandbox

from tests.support.account import snake

Row = dict[str, Any]
START = "2020-01-01T00:00:00Z"
ELSEWHERE = Path(__file__).with_name("elsewhere.py")


@dataclass(frozen=True)
class Tap:
    """The tap against a sandbox; its files are in `folder`."""

    python: str
    sandbox: Sandbox
    folder: Path
    start: str = START

    def discover(self) -> dict[str, Row]:
        """Return the schema of each stream, and select all of them for syncs."""
        settings = {
            "account_sid": self.sandbox.account_sid,
            "auth_token": self.sandbox.auth_token,
            "api_catalog": "Advertisers",
            "start_date": self.start,
            "user_agent": "peers",
            "model_id": "7",
        }
        (self.folder / "config.json").write_text(json.dumps(settings))
        catalog = json.loads(self._run("--discover"))
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                entry["metadata"]["selected"] = True
        (self.folder / "catalog.json").write_text(json.dumps(catalog))
        return {stream["stream"]: stream["schema"] for stream in catalog["streams"]}

    def sync(self) -> Output:
        """Sync every stream, from where the previous sync ended."""
        state = self.folder / "state.json"
        output = Output.of(self._run("--catalog", "catalog.json", *(["--state", state.name] if state.exists() else [])))
        state.write_text(json.dumps(output.state))
        return output

    def _run(self, *arguments: str) -> str:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        run = subprocess.run(
            [self.python, str(ELSEWHERE), "--config", "config.json", *arguments],
            cwd=self.folder,
            env=env | {"PEERS_BASE_URL": self.sandbox.url, "NO_PROXY": "*"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout


@dataclass
class Output:
    """What a sync wrote: its records by stream in their order, and its last state."""

    records: dict[str, list[Row]]
    state: Row

    @classmethod
    def of(cls, text: str) -> Output:
        """Read the messages that the tap printed, one a line."""
        output = cls(defaultdict(list), {})
        for line in text.splitlines():
            message = json.loads(line, parse_float=Decimal)
            if message["type"] == "RECORD":
                output.records[message["stream"]].append(message["record"])
            elif message["type"] == "STATE":
                output.state = message["value"]
        return output


def typed(value: object, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value of the API as a schema of the tap types it: numbers, instants, the fields that it has."""
    schema = _meant(schema)
    if isinstance(value, Mapping):
        known = schema["properties"]
        return {snake(name): typed(one, known[snake(name)]) for name, one in value.items() if snake(name) in known}
    if isinstance(value, list):
        return [typed(one, schema["items"]) for one in value]
    return None if value is None else _plain(str(value), schema)


def read(value: object, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value that the tap wrote, with its dates as instants."""
    schema = _meant(schema)
    if isinstance(value, Mapping):
        return {name: read(one, schema["properties"][name]) for name, one in value.items()}
    if isinstance(value, list):
        return [read(one, schema["items"]) for one in value]
    return datetime.fromisoformat(str(value)) if value is not None and "format" in schema else value


def dropped(value: object, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the fields of a record, by their path, that a schema of the tap does not have."""
    schema = _meant(schema)
    if isinstance(value, Mapping):
        for name, one in value.items():
            if snake(name) in schema["properties"]:
                yield from dropped(one, schema["properties"][snake(name)], f"{path}{name}.")
            else:
                yield f"{path}{name}"
    if isinstance(value, list):
        for one in value:
            yield from dropped(one, schema["items"], path)


def _meant(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the alternative that is not null."""
    return next((one for one in schema.get("anyOf", ()) if one["type"] != "null"), schema)


def _plain(text: str, schema: Mapping[str, Any]) -> object:
    if "string" in schema["type"] and "format" not in schema:
        return text
    if not text:
        return None
    if "boolean" in schema["type"]:
        return text == "true"
    if "integer" in schema["type"]:
        return int(text)
    return Decimal(text) if "number" in schema["type"] else datetime.fromisoformat(text)

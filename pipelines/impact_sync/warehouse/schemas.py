"""dlt's schemas, kept once they are read: dlt reads them dozens of times a run, longer than loading some rows takes."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.schema import Schema
from dlt.common.storages.configuration import SchemaStorageConfiguration
from dlt.common.storages.live_schema_storage import LiveSchemaStorage
from typing_extensions import override

_Mark = tuple[str | None, int | None]


class _Kept(LiveSchemaStorage):
    """Reads a file again only if the schema was saved since, or identifiers may now be longer or shorter.

    The folder belongs to one pipeline object, which writes to it through this storage alone.
    """

    def __init__(self, config: SchemaStorageConfiguration) -> None:
        super().__init__(config, makedirs=True)
        self._read: dict[str, _Mark] = {}

    @override
    def __getitem__(self, name: str) -> Schema:
        live = self.live_schemas.get(name)
        if live is not None and self._read.get(name) == _mark(live):
            return live
        schema = super().__getitem__(name)
        self._read[name] = _mark(schema)
        return schema


def keep_schemas(pipeline: dlt.Pipeline) -> None:
    """Have a pipeline keep its schemas, unless the user has them imported from files that may change at any time."""
    inside: Any = pipeline
    config: SchemaStorageConfiguration = inside._schema_storage_config  # noqa: SLF001 - dlt has no setting for it; test_insides.py
    if not config.import_schema_path:
        inside._schema_storage = _Kept(config)  # noqa: SLF001 - the same


def _mark(schema: Schema) -> _Mark:
    """What was saved last, and how long identifiers may be where the schema is used now."""
    container, longest = Container(), None
    if DestinationCapabilitiesContext in container:
        longest = container[DestinationCapabilitiesContext].max_identifier_length
    return schema.stored_version_hash, longest

"""What a user of dlt would write instead: its own REST source over the same windows, merged on Id.

It does less than the others: money stays text, and no window is checked for completeness. Run as `python -m
tests.bench.ready_made TASK`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dlt
from dlt.extract import DltResource
from dlt.sources.rest_api import rest_api_resources
from dlt.sources.rest_api.typing import RESTAPIConfig

from tests.bench.task import Task

_TUNED = {
    # About two files per page: both workers are busy, and neither holds much.
    "DATA_WRITER__FILE_MAX_ITEMS": "50000",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "NORMALIZE__WORKERS": str(os.cpu_count() or 1),
}


def main() -> None:
    """Load everything."""
    task = Task.told()
    if task.tuned:
        os.environ.update(_TUNED)
    pipeline = dlt.pipeline(
        "ready_made",
        destination=dlt.destinations.duckdb(task.warehouse),
        dataset_name="impact",
        pipelines_dir=str(Path(task.warehouse).parent / "pipelines"),
    )
    how: dict[str, Any] = {"loader_file_format": "parquet"} if task.tuned else {}
    pipeline.run(actions(task), **how)


@dlt.source(max_table_nesting=0)
def actions(task: Task) -> list[DltResource]:
    """One resource per window, all into one table."""
    config: RESTAPIConfig = {
        "client": {
            "base_url": task.url,
            "auth": {"type": "http_basic", "username": task.account_sid, "password": task.auth_token},
            "headers": {"Accept": "application/json", "IR-Version": "14"},
            "paginator": {"type": "page_number", "base_page": 1, "page_param": "Page", "total_path": "'@numpages'"},
        },
        "resource_defaults": {"primary_key": "Id", "write_disposition": "merge"},
        "resources": [
            {
                "name": f"actions_{number}",
                "table_name": "actions",
                "parallelized": task.tuned,
                "endpoint": {"path": task.path, "params": {**window}, "data_selector": "Actions"},
            }
            for number, window in enumerate(task.windows)
        ],
    }
    return list(rest_api_resources(config))


if __name__ == "__main__":
    # Its workers are processes, and each of them imports this module again.
    main()

"""Load impact.com into DuckDB with dlt alone: copy this file and `impact_source` into your dlt project and run it."""

import dlt
from impact_source import impact, impact_items


def load_impact() -> None:
    """Load what changed since the last run, then the line items of up to 500 actions."""
    pipeline = dlt.pipeline("impact_pipeline", destination="duckdb", dataset_name="impact")
    print(pipeline.run(impact()))
    print(pipeline.run(impact_items(max_requests=500)))


if __name__ == "__main__":
    load_impact()

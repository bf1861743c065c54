"""The warehouse: opened by one run at a time, rows merged into it. Only here are internals of dlt overridden."""

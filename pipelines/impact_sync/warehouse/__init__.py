"""The warehouse: opening it, one run at a time, and how rows are merged into it. Only here are internals of dlt overridden."""

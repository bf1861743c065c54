"""The warehouse: opened by one run at a time, rows merged into it. Internals of dlt are overridden only here."""

"""Rows that land in a DuckDB file."""

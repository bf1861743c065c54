"""Behaviour, mostly through the sandbox over a real socket into a real DuckDB file."""

"""Migrations: bring a warehouse from an earlier release up to this one.

dlt adds new tables and columns by itself, and each load replaces the views. A step is for the rest: values that move or
change their meaning, the journal `corrections`, which dlt does not know, and the cursors in dlt's state. It adds,
copies and moves, and drops no column, and no table without a view of the same name and columns: other people's queries
keep working. The journal's file beside the warehouse is only ever appended to, so `corrections.journal.file` reads
every format that a release has written.
"""

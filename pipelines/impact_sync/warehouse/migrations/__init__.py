"""Migrations: a warehouse that an earlier release wrote becomes one that this program works with.

dlt adds new tables and columns by itself, and each load replaces the views. A step is for the rest: values that move or
mean something else, the journal `corrections`, which dlt does not know, and the cursors in dlt's state. It adds and
copies, and drops nothing: queries of others go on working. The journal's file beside the warehouse is only ever
appended to, so `corrections.journal.file` reads every form that a release has written.
"""

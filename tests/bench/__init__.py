"""Measures what `impact sync` costs beside the least that it could cost and beside what one would write instead.

`python -m tests.bench` measures a backfill, with a scenario's name something else; each scenario's module says what.
Everything is measured from outside: each contender is a process of its own, against one server that keeps its answers
ready. This package's own process stays small, because a child's peak memory is never told below its parent's.
"""

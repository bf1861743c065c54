"""Measures what `impact sync` costs, compared with the minimum and with what one would write instead.

`python -m tests.bench` measures a backfill; with a scenario's name, that scenario; each scenario's module says what it
measures. Everything is measured from outside: each contender is a separate process, against one server that keeps its
answers ready. This package's own process stays small, because a child's peak memory is never reported below its
parent's.
"""

"""Tests of the change feed and of items derived from it."""

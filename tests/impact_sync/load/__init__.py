"""Tests of the one load loop."""

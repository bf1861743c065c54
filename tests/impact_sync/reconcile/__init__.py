"""Tests of `impact reconcile`."""

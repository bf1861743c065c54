"""Typed rows and how they differ."""

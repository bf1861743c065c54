"""Closing a month."""

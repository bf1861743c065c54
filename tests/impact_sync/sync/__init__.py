"""Syncs as a whole, over a socket and into a real warehouse."""

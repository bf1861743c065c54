"""Upgrades: a warehouse that each release has written is taken over by today's program, and nothing is lost."""

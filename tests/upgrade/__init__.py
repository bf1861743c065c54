"""Upgrades: today's program takes over a warehouse from each release, and nothing is lost."""

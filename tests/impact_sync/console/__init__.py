"""Screens, words, signals."""

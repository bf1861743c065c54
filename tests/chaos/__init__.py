"""Breaks runs on purpose, by kills in every phase and faults at every request, and compares with the truth."""

"""Corrections: what is planned, what is sent, and what the journal says of it."""

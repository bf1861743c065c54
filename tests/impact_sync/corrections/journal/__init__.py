"""The journal of corrections."""

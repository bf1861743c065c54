"""The source on its own, and its parts."""

"""A probe of a live account, played by the sandbox."""

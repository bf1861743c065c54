"""Windows, passes, narrowing: plain calls."""

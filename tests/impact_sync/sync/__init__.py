"""Complete syncs, over a socket and into a real warehouse."""

"""Where the warehouse stands."""

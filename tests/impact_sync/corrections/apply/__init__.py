"""Plans that are applied."""

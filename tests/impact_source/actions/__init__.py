"""How actions are read and land."""

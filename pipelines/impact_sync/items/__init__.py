"""`impact items`: reads the items of actions that wait for it."""

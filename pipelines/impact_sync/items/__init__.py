"""`impact items`: the items of actions that wait for it."""

"""The lists that surround the actions."""

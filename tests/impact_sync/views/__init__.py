"""The views and the figures in them."""

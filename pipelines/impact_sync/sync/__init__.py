"""`impact sync`: what is new and what may have changed, campaign by campaign."""

"""`impact sync`: reads what is new and what may have changed, campaign by campaign."""

"""`impact corrections plan`: what is requested, checked against the rules and stored. Nothing is sent."""

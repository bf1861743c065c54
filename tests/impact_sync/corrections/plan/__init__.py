"""What may be requested, and what a plan says of the rest."""

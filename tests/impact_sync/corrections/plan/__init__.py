"""What may be requested, and how a plan handles the rest."""

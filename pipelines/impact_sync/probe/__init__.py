"""`impact check --probe`: asks a live account, read only, what the API's documents leave open."""

"""`impact status`: where the warehouse stands, from the warehouse alone."""

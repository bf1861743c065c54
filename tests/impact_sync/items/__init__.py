"""Items as the commands show them."""

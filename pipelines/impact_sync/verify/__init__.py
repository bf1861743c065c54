"""`impact verify`: compares the warehouse with the API, column by column, and repairs it."""

"""Pure data: what a row is, how text becomes a typed row, and how two rows differ."""

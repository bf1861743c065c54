"""The journal: what was planned, sent and answered, in the warehouse and in a file beside it."""

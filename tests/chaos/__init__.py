"""Breaking runs on purpose, by kills in every phase and faults at every request, and comparing with the truth."""

"""dlt sources: impact.com itself, and a sandbox that behaves like it."""

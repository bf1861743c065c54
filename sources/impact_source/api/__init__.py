"""Everything that speaks HTTP: requests, retries, the hourly limit, the clock, and what an answer means."""

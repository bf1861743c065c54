"""The report, as a file and in a browser."""

"""The lake: in a folder with what every environment has; with `make lake` on an S3 server and queried by an engine."""

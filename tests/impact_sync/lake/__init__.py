"""The lake: on a folder with what every environment has, on an S3 server and asked by an engine with `make lake`."""

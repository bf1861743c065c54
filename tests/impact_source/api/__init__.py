"""Requests to the API and what its answers mean."""

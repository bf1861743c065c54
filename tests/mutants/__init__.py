"""Mutation testing: whether a mistake in the modules that decide about truth and money is detected."""

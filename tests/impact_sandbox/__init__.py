"""Tests of the sandbox itself: it refuses, pages, ages and breaks as documented."""

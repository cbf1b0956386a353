"""Runs written into the history."""

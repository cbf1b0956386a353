"""Readers of cells."""

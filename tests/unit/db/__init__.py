"""Modules of the database layer."""

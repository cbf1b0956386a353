"""Modules of the command line."""

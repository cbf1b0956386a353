"""Reads what pages show, without widgets. Imports no component."""

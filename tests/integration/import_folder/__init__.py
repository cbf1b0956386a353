"""Imports of dropped files, on PostgreSQL."""

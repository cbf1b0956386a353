"""Embedded PostgreSQL and Valkey."""

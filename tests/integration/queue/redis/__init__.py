"""Connections, scripts and notifications of Redis."""

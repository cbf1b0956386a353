"""Queries of pages to Redis and PostgreSQL. Imports no component."""

"""Pydantic models of requests and responses. Imported by `api` alone."""

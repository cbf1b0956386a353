"""Writes the audit entries of API requests: their context, the buffer, and counted refusals."""

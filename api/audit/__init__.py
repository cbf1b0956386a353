"""Audit entries of API requests: context, buffer, and counted refusals."""

"""Declarations, retries, cron, redaction."""

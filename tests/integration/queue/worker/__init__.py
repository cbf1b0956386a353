"""Claims and losses."""

"""The containers' commands and health checks."""

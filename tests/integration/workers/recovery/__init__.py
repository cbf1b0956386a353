"""Leases, and the runs of dead workers."""

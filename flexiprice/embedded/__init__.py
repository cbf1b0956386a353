"""Embedded PostgreSQL and Valkey servers, run from wheels as child processes.

Imported by `flexiprice up`, `flexiprice demo` and the tests; never by the API or the workers.
"""

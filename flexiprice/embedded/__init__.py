"""Embedded PostgreSQL and Valkey servers, run from wheels as child processes.

Imported by the command line and the tests; never by the API or the workers.
"""

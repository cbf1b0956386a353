"""The parts of the initial migration, one module a subject; only `versions/0001_initial` imports them.

They are frozen: an installation that ran them never runs them again. Change the schema by a new migration.
"""

"""API keys, sessions of the monitor, and the audit log. API, workers and command line import it."""

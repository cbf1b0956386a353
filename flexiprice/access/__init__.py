"""Access control: API keys, sessions of the monitor, and the audit log.

Imported by the API, the monitor and the command line; never by `pricing` or `queue`.
"""

"""Administration of the queue: inspect, pause, revoke, retry, dead letters, schedules, commands.

The API, the command line and the monitor import it; the worker runtime only for its metrics and checks.
"""

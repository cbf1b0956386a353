"""The task queue: declarations, client, message codec, and the administration of jobs.

The API, the command line, the monitor and the workers import it. It imports none of them.
"""

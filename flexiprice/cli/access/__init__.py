"""Commands on API keys, monitor sessions and the audit log.

Other commands import `operator`, `audit` and `local_key`.
"""

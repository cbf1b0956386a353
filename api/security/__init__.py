"""Security of API and monitor: authentication, scopes, rate limit, headers, limits of requests.

Imported by `api` alone.
"""

"""The packages on a real PostgreSQL and Redis, in the test's own process."""

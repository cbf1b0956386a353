"""PostgreSQL and Valkey from wheels, for `flexiprice up`, `flexiprice demo` and the tests."""

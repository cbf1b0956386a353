"""The monitor's sign-in, sessions and queries."""

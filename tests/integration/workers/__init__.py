"""Workers in the test's own process."""

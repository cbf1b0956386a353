"""Use cases: each function does one thing inside the transaction its caller opened."""

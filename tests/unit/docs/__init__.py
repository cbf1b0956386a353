"""The manual, and the documents beside it."""

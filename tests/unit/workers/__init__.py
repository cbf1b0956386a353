"""Parts of the worker's runtime."""

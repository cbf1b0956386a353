"""Self-monitoring of a worker process: metrics, event loop lag, clock drift. Imported by the worker."""

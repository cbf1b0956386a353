"""The workers' side of the queue."""

"""The workers: arq settings, task bodies, and what surrounds every task."""

"""Faults made on purpose, on real processes: what is lost, what is doubled, how long it takes to recover."""

"""Injected faults on real processes: jobs lost, effects doubled, seconds to recover."""

"""Recording of runs: events, records and the run history. Imported by the worker runtime."""

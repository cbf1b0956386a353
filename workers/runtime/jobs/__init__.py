"""Job execution: claim, run and release. Imported by the worker."""

"""Job execution: claim, run, judge and acknowledge. Imported by the worker and its recovery."""

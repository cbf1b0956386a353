"""Recovery from dead workers: heartbeat, reaper and orphaned runs. Imported by the worker."""

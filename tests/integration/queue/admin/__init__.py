"""Inspection and operation of queues, schedules and workers."""

"""The worker runtime: consumers, schedules, time limits, retries, heartbeat, start and stop.

Only `workers` imports it. Task bodies see `TaskContext` alone.
"""

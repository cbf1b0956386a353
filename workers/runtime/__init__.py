"""What surrounds every task: consumers, ticks, limits, retries, heartbeat, start and stop."""

"""Commands on jobs, queues, workers and schedules. Commands that enqueue a job import `enqueue`."""

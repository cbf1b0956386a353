"""The web monitor: shows tasks, workers, queues and prices, and operates them."""

"""The monitor: tasks, workers and prices, watched and steered in the browser."""

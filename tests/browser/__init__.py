"""The monitor in a real browser, against real processes."""

"""README and manual, typed as printed."""

"""Jobs from enqueueing to their result."""

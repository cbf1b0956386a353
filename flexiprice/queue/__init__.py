"""What producers and workers agree on about tasks: declarations, queue, codec."""

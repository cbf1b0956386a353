"""The state that all pages share: the snapshot, recent activity, and the health found in them."""

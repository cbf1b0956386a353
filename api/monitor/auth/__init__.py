"""Signs users in to the monitor and ends their sessions. Imports no page."""

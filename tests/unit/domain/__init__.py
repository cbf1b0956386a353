"""The pure core: money, policies, quotes."""

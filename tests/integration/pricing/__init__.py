"""Recomputes, previews, policies and prices."""

"""Widgets of pages. Only pages and the layout import them."""

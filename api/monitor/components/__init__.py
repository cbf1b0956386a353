"""The widgets that pages are made of. Only pages and the layout import it."""

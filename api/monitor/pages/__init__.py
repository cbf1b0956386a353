"""Pages, one module each. Importing a module registers its page."""

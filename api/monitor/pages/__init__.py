"""The pages, one module each; importing a module is what puts its page up."""

"""Files imported into the database."""

"""The importer's readers of files, columns and cells."""

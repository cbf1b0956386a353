"""Endpoints, one module per resource. Imported by `api.main` alone."""

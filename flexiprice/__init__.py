"""The pricing engine for perishable goods. Imported by `api` and `workers`; imports neither."""

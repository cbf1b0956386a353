"""Products and batches out of somebody else's file: CSV or NDJSON, as other systems export them."""

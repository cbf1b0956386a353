"""Imports of products and batches from CSV or NDJSON files that other systems export.

The upload endpoint and `flexiprice import` use `importer`; both share its options and messages.
"""

"""Stores, products and batches."""

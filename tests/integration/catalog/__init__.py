"""Stores, products and batches in the database."""

"""The catalogue: stores, products and batches, their CRUD services and imports from files.

Entry points and the other services may import it. It imports `domain` and `db`.
"""

"""Pricing: policies, recomputes, previews, discounts, price history and stock value.

Entry points may import it. It imports `catalog`, `domain` and `db`.
"""

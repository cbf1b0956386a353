"""The pricing policy compiled to SQL, and the statements of recompute, cleanup and deletion.

Only `flexiprice.pricing` imports it.
"""

"""Sales, waste, counts and deliveries, as events that move stock.

`columns` and `rows` read events from records, `recording` records a chunk of them in one transaction, and
`stock` allocates them to batches. The endpoint and `flexiprice import --kind` use `reading` and `recording`.
"""

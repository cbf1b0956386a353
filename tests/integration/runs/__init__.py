"""The run history, receipts and fences."""

"""Redis access of the queue: connections, keys, codec, error replies and Lua scripts.

Only `flexiprice.queue` and the worker runtime import the scripts; other packages use the queue's client.
"""

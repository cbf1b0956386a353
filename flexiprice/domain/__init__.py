"""The pure core: policy + batch + day -> quote.

It does no I/O, reads no clock and imports only `flexiprice.errors`. Every package may import it.
"""

"""The workers' side of the queue: claims, leases, losses and the run outbox.

The worker runtime imports it; the administration of the queue reads leases and outbox through it.
"""

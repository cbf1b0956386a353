"""Hostile requests by the thousand, made out of the API's own description."""

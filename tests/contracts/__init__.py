"""Interfaces that others build on: generated clients, alert rules, nginx in front."""

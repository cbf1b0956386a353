"""The worker program: arq settings, task bodies, and the runtime that executes them.

Started by import string. Nothing imports it but the tests.
"""

"""The manual: Markdown pages beside this file, and the module that reads them.

The repository's web view, `flexiprice help`, the monitor's `/help` and the site of `make docs` show the same
pages. Anything may import it; it imports nothing of FlexiPrice but errors.
"""

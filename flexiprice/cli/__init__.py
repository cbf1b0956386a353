"""The `flexiprice` command line, an entry point like the API and the workers.

Nothing else may import it. A command's module is imported only when the command is used.
"""

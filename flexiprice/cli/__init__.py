"""The `flexiprice` command."""

"""The codec, URLs, replies and clock of Redis."""

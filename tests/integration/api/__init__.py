"""The API over HTTP, without a socket."""

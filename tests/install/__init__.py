"""Installations in containers and on a server, on a container engine of this run's own.

`python -m tests.install` does both; `containers` or `server` one of them. It is no part of the suite: it
wants root, an engine (`apt-get install docker.io debootstrap`), Debian's packages and a few minutes.
"""

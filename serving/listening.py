"""A socket that listens before anybody is told of it."""

from __future__ import annotations

import socket

__all__ = ["listening"]


def listening(host: str, port: int) -> socket.socket:
    """Listens on the address; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)  # who reads the address may ask at once
    except OSError:
        made.close()
        raise
    return made

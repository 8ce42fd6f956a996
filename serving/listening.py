"""A socket that listens before anybody is told of it."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from litrag.core.errors import EnvironmentFault
from litrag.serving.guard import EVERYWHERE

__all__ = ["address", "listening"]


def listening(host: str, port: int) -> socket.socket:
    """Listens on the address; port 0 takes a free one. Raises EnvironmentFault where it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise EnvironmentFault(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port"
        ) from error


def address(host: str, bound: socket.socket, names: Sequence[str] = ()) -> str:
    """What the server is opened by: its first name where it listens everywhere, else its host."""
    shown = next(iter(names), host) if host in EVERYWHERE else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{bound.getsockname()[1]}"

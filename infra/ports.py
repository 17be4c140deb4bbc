"""Ports of this machine for what is about to listen."""

import secrets
import socket

_RANGE = range(20000, 32768)  # below those that a kernel gives to clients, and to whoever asks for any


def free_port(wished: int | None = None) -> int:
    """The wished port if nobody listens there, else another: none that somebody is given before it is listened on."""
    port = wished or secrets.choice(_RANGE)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port

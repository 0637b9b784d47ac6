"""Ports of this machine that nobody listens on."""

import socket


def free_port(below: int = 65_536) -> int:
    """One that was free a moment ago."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < below:
            return port

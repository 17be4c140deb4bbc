"""A port for what is about to listen: kept where it can be, and none that the kernel hands out meanwhile."""

import socket
from pathlib import Path

import pytest

from infra.ports import free_port

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_a_free_port_is_kept() -> None:
    port = free_port()
    assert free_port(port) == port


def test_a_taken_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port


@pytest.mark.skipif(not _EPHEMERAL.exists(), reason="only Linux says which ports its kernel gives away")
def test_nobody_is_given_it_before_it_is_listened_on() -> None:
    first, last = map(int, _EPHEMERAL.read_text().split())
    assert not any(first <= free_port() <= last for _ in range(100))

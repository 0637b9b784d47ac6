"""The fault proxy between real sockets: each fault does what it says, to open connections and to new ones."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from tests.fakes.proxy import Proxy, proxied
from tests.gateway.waiting import waited

WAIT_S = 30.0  # generous: a loaded machine
HUSH_S = 0.2  # what does not come within this is taken not to come


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that sends back what it gets, to the client's end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo_all, args=(listener,), daemon=True).start()
        with proxied(f"tcp://127.0.0.1:{listener.getsockname()[1]}/0") as started:
            yield started


def echo_all(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # closed: the test is over
            return
        threading.Thread(target=echo, args=(client,), daemon=True).start()


def echo(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(4096):
                client.sendall(data)
            client.sendall(b"the end")
        except OSError:
            pass  # reset by the test


@contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S) as client:
        yield client


def told(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return received(client, len(text))


def received(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := client.recv(count - len(data))):
        data += more
    return data


def silent(client: socket.socket) -> bool:
    client.settimeout(HUSH_S)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(WAIT_S)
    return False


def test_without_a_fault_everything_passes_both_ways(proxy: Proxy) -> None:
    with connected(proxy) as client:
        big = bytes(range(256)) * 4096
        threading.Thread(target=client.sendall, args=(big,)).start()
        assert received(client, len(big)) == big
        client.shutdown(socket.SHUT_WR)
        assert received(client, 100) == b"the end"
    waited(lambda: proxy.open() == 0)
    assert proxy.url == f"tcp://127.0.0.1:{proxy.port}/0"


def test_a_slow_way_delays_and_keeps_the_order(proxy: Proxy) -> None:
    with connected(proxy) as client:
        told(client, b"hi")
        proxy.slow(0.1)
        began = monotonic()
        client.sendall(b"one")
        client.sendall(b"two")
        assert received(client, 6) == b"onetwo"
        assert monotonic() - began >= 0.2
        proxy.heal()
        assert told(client, b"three") == b"three"


def test_a_blackhole_accepts_and_keeps_until_it_heals(proxy: Proxy) -> None:
    with connected(proxy) as old:
        told(old, b"hi")
        proxy.blackhole()
        with connected(proxy) as new:
            old.sendall(b"old")
            new.sendall(b"new")
            assert silent(old)
            assert silent(new)
            proxy.heal()
            assert received(old, 3) == b"old"
            assert received(new, 3) == b"new"


def test_a_reset_breaks_the_open_and_the_new_ones(proxy: Proxy) -> None:
    with connected(proxy) as old:
        told(old, b"hi")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with pytest.raises(ConnectionError), connected(proxy) as new:
        new.recv(1)
    proxy.heal()
    with connected(proxy) as healed:
        assert told(healed, b"hi") == b"hi"


def test_a_half_closed_way_still_takes_what_the_client_says(proxy: Proxy) -> None:
    with connected(proxy) as old:
        told(old, b"hi")
        proxy.half_close()
        assert old.recv(1) == b""
        old.sendall(b"still heard")
        assert old.recv(1) == b""
        with connected(proxy) as new:
            assert new.recv(1) == b""


def test_a_cut_lets_exactly_so_many_bytes_through(proxy: Proxy) -> None:
    with connected(proxy) as old:
        told(old, b"not counted")
        proxy.cut(5)
        for client in (old, socket.create_connection(("127.0.0.1", proxy.port), WAIT_S)):
            with client:
                client.sendall(b"abc")
                client.sendall(b"defgh")
                assert received(client, 5) == b"abcde"
                with pytest.raises(ConnectionResetError):
                    client.recv(1)


def test_a_server_that_is_not_there_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with proxied(f"redis://user:secret@127.0.0.1:{port}/0") as proxy:
        assert proxy.url == f"redis://user:secret@127.0.0.1:{proxy.port}/0"
        with pytest.raises(ConnectionError), connected(proxy) as client:
            client.recv(1)


def test_a_client_that_resets_is_passed_on(proxy: Proxy) -> None:
    with connected(proxy) as client:
        told(client, b"hi")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    waited(lambda: proxy.open() == 0)

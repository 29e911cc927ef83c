"""Every transport passes the public suite; and what is particular to each."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from capsa.errors import RefusedError, UsageError
from capsa.net.base import Transport
from capsa.net.transports.memory import MemoryNetwork
from capsa.net.transports.tcp import TcpTransport, format_address, parse_address
from capsa.net.transports.unix import UnixTransport
from capsa.testing.transports import TRANSPORT_CHECKS, Recorder, TransportCheck, opened, paired

Maker = Callable[[Path], tuple[Transport, str]]

MAKERS: dict[str, Maker] = {
    "memory": lambda folder: (MemoryNetwork(), "memory:door"),
    "tcp": lambda folder: (TcpTransport(), "tcp://127.0.0.1:0"),
    "unix": lambda folder: (UnixTransport(), f"unix:{folder / 'sock'}"),
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("check", TRANSPORT_CHECKS, ids=lambda check: check.__name__)
async def test_a_transport_keeps_its_contract(check: TransportCheck, maker: Maker, tmp_path: Path) -> None:
    await check(*maker(tmp_path))


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("tcp://127.0.0.1:4747", "127.0.0.1", 4747),
        ("tcp://[::1]:0", "::1", 0),
        ("tcp://node.example:1", "node.example", 1),
    ],
)
def test_tcp_addresses(address: str, host: str, port: int) -> None:
    assert parse_address(address) == (host, port)


@pytest.mark.parametrize(
    "address",
    [
        "tcp://host",
        "tcp://:1",
        "tcp://host:70000",
        "tcp://host:x",
        "tcp://a:1/b",
        "tcp://u@a:1",
        "udp://a:1",
        "tcp://[",
    ],
)
def test_malformed_tcp_addresses(address: str) -> None:
    with pytest.raises(UsageError):
        parse_address(address)


def test_a_mapped_ipv4_name_is_printed_as_ipv4() -> None:
    assert format_address(("::ffff:10.0.0.1", 80, 0, 0)) == "tcp://10.0.0.1:80"
    assert format_address(("::1", 80, 0, 0)) == "tcp://[::1]:80"


async def test_a_tcp_listener_names_its_real_port() -> None:
    async with opened(TcpTransport(), "tcp://127.0.0.1:0") as door:
        assert parse_address(door.listener.address)[1] > 0


async def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(RefusedError):
        await TcpTransport().listen("tcp://192.0.2.1:1", Recorder)


async def test_a_socket_file_is_private_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    async with opened(UnixTransport(), f"unix:{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    async with paired(UnixTransport(), f"unix:{path}") as (here, there):
        await here.write(b"x")
        await there.until(lambda: there.data == b"x")


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    path.write_text("precious")
    with pytest.raises(RefusedError):
        await UnixTransport().listen(f"unix:{path}", Recorder)
    assert path.read_text() == "precious"


async def test_a_path_longer_than_a_socket_address(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    path = folder / "sock"
    assert len(os.fsencode(path)) > 108
    async with paired(UnixTransport(), f"unix:{path}") as (here, there):
        await here.write(b"far down")
        await there.until(lambda: there.data == b"far down")

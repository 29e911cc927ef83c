"""A local network of machines: network namespaces of Linux, joined by a bridge, some behind routers of their own.

Nothing of it is seen outside. Processes hold the namespaces, and end with the one that made them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.walks.machines import Machine

_GATEWAY: Final = "192.168.1.1"
_MASQUERADE: Final = """
table ip home {
    chain out { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
    chain in { type filter hook forward priority filter; iifname "wan" ct state new drop; }
}
"""
"""What any router at home does: what is inside goes out under its address, and nothing comes in unasked."""


class Lan:
    """192.168.1.0/24, with a gateway that leads nowhere further."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._hosts = 1
        self._street = self._namespace("unshare", "--map-root-user", "--net")
        self._do(self._street, "ip link add street type bridge", "ip link set street up")
        self._do(self._street, f"ip addr add {_GATEWAY}/24 dev street")

    def machine(self, name: str, answers: Mapping[str, str]) -> Machine:
        """A machine with an address of its own, which all the others reach."""
        namespace = self._on_the_street("eth0")
        return Machine(self._folder / name, self._within(namespace), answers)

    def machine_behind_router(self, name: str, answers: Mapping[str, str]) -> Machine:
        """A machine that reaches all the others, and that none of them reaches."""
        router = self._on_the_street("wan")
        namespace = self._namespace(*self._within(self._street), "unshare", "--net")
        self._do(router, f"ip link add inside type veth peer name eth0 netns {namespace}", "ip link set inside up")
        self._do(router, "ip addr add 10.0.0.1/24 dev inside")
        self._do(router, "dd status=none of=/proc/sys/net/ipv4/ip_forward", stdin="1")
        self._do(router, "nft -f -", stdin=_MASQUERADE)
        self._up(namespace, "eth0", "10.0.0.2", "10.0.0.1")
        return Machine(self._folder / name, self._within(namespace), answers)

    def _on_the_street(self, device: str) -> int:
        """A namespace with the next address of the street."""
        namespace = self._namespace(*self._within(self._street), "unshare", "--net")
        self._hosts += 1
        port = f"port{self._hosts}"
        self._do(self._street, f"ip link add {port} type veth peer name {device} netns {namespace}")
        self._do(self._street, f"ip link set {port} master street up")
        self._up(namespace, device, f"192.168.1.{self._hosts}", _GATEWAY)
        return namespace

    def _up(self, namespace: int, device: str, address: str, gateway: str) -> None:
        self._do(namespace, "ip link set lo up", f"ip addr add {address}/24 dev {device}")
        self._do(namespace, f"ip link set {device} up", f"ip route add default via {gateway}")

    def _namespace(self, *unshare: str) -> int:
        """A new namespace: the process that holds it, until the network is taken down."""
        # It waits for the end of its input, which comes even if this process is killed.
        words = [*unshare, "sh", "-c", "echo made && exec cat"]
        holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._stack.enter_context(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "made\n", "this machine makes no network namespaces"
        return holder.pid

    @staticmethod
    def _within(namespace: int) -> Sequence[str]:
        """The words that run something in a namespace; its user stays whose files these are."""
        return ("nsenter", f"--target={namespace}", "--user", "--net", "--preserve-credentials", "--")

    def _do(self, namespace: int, *commands: str, stdin: str = "") -> None:
        for command in commands:
            subprocess.run([*self._within(namespace), *command.split()], input=stdin, text=True, check=True)


@contextmanager
def lan(folder: Path) -> Iterator[Lan]:
    """A network without machines yet."""
    with ExitStack() as stack:
        yield Lan(folder, stack)

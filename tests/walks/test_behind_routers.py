"""The README's walk of somebody whom nobody can dial: behind a router that lets nothing in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.network import noise
from tests.walks.lan import lan
from tests.walks.readme import Line, walk
from tests.walks.walking import walking

FILM, SONG = noise(5_000_000), noise(300_000)
FOUNDING = {
    "ann": (
        "capsa init --name Ann --copies 2 --no-passphrase",
        "capsa up",
        "capsa invite > ben.txt",
        "capsa invite > cleo.txt",
        "capsa invite > eve.txt",
    ),
    "ben": ("capsa join --name Ben --no-passphrase --invite-file ben.txt", "capsa up"),
    "cleo": ("capsa join --name Cleo --no-passphrase --invite-file cleo.txt", "capsa up"),
}
SECRET = "eve keeps every scroll"


@pytest.mark.big
def test_who_cannot_be_dialled_puts_gets_and_keeps(tmp_path: Path) -> None:
    asked = {"New passphrase: ": SECRET, "The same again: ": SECRET, "Passphrase of [^\n]*: ": SECRET}
    with lan(tmp_path) as street:
        machines = {name: street.machine(name, {}) for name in ("ann", "ben")}
        machines |= {name: street.machine_behind_router(name, asked) for name in ("cleo", "eve")}
        with walking(machines) as walker:
            for name, commands in FOUNDING.items():
                if name != "ann":
                    walker.carry(f"{name}.txt", "ann", name)
                for command in commands:
                    walker.type(name, Line(command, ""))
            walker.type("ann", Line("capsa peers", "until Ben and Cleo are alive"))
            (machines["ann"].folder / "film").write_bytes(FILM)
            walker.type("ann", Line("capsa put film", ""))  # Cleo keeps one of the two copies
            walker.type("ann", Line("capsa share film > cap.txt", ""))

            walker.walk(walk("behind a router"))
            walker.carry("cap.txt", "ann", "eve")
            walker.type("eve", Line("capsa unlock", ""))
            walker.type("eve", Line("capsa peers", "until Ann and Ben are alive"))
            walker.type("eve", Line("capsa get --cap-file cap.txt -o film", ""))
            assert (machines["eve"].folder / "film").read_bytes() == FILM
            (machines["eve"].folder / "song").write_bytes(SONG)
            walker.type("eve", Line("capsa put song", ""))

            (machines["ann"].folder / "song").write_bytes(SONG)
            walker.type("ann", Line("capsa peers", "until Ben, Cleo and Eve are alive"))
            walker.type("ann", Line("capsa put song --copies 3", ""))  # all the others keep one


@pytest.mark.big
def test_nobody_gets_in_through_a_router(tmp_path: Path) -> None:
    with lan(tmp_path) as street:
        machines = {"ann": street.machine("ann", {}), "eve": street.machine_behind_router("eve", {})}
        with walking(machines) as walker:
            assert "refused" in walker.run("eve", "timeout 60 bash -c 'exec 3<>/dev/tcp/192.168.1.2/4747'").shown
            way = "ip route add 10.0.0.0/24 via 192.168.1.3"
            dialled = walker.run("ann", f"{way} && timeout 1 bash -c 'exec 3<>/dev/tcp/10.0.0.2/4747'")
            assert (dialled.code, dialled.shown) == (124, "")

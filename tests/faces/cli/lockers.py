"""Homes whose keys have a passphrase, made without the time that a real one costs."""

from __future__ import annotations

import os
from pathlib import Path

from capsa.core.keystore import Hardness, OpenKeystore, SealedKeystore
from capsa.faces.cli import main
from capsa.node.home import Home

LIGHT = Hardness(memory_kib=8, passes=1, lanes=1)
"""The least that Argon2 can be asked for."""


def make_locked(root: Path, passphrase: str) -> Home:
    """A home alone in its network. Without copies, what it puts is done when it is here."""
    assert main(["--home", str(root), "--quiet", "init", "--copies", "0", "--no-passphrase"]) == 0
    home = Home.open(root)
    before = home.keystore()
    assert isinstance(before, OpenKeystore)
    salt = os.urandom(16)
    home.replace_keystore(
        before, SealedKeystore.seal(before.entropy, passphrase, owner=home.owner, salt=salt, hardness=LIGHT)
    )
    return home

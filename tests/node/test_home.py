"""A home on disk: whole or absent, private, and held by one process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from capsa.core.ids import NetworkId
from capsa.core.keys import DeviceKey, OwnerKeys
from capsa.errors import CapsaError, HomeError, HomeInUseError, LockedError, RefusedError
from capsa.node.home import Home, NewHome, Papers

NEW = NewHome(NetworkId(b"n" * 32), b"s" * 32, b"e" * 32, b"d" * 32, "ann", Papers((b"founding",), ("tcp://a:1",)))


def test_a_home_opens_as_it_was_made(tmp_path: Path) -> None:
    made = Home.create(tmp_path / "home", NEW)
    opened = Home.open(tmp_path / "home")
    assert opened == made and opened.name == "ann" and opened.network == NEW.network
    assert opened.node == DeviceKey(NEW.device_seed).node == opened.device().node
    assert opened.secret() == NEW.secret and opened.papers() == NEW.papers
    assert opened.owner_keys().owner == opened.owner == OwnerKeys.from_entropy(NEW.entropy).owner


def test_nobody_else_can_look_into_a_home(tmp_path: Path) -> None:
    Home.create(tmp_path / "home", NEW)
    for path in [tmp_path / "home", *(tmp_path / "home").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_secrets_stay_out_of_what_is_printed(tmp_path: Path) -> None:
    shown = repr(NEW) + repr(Home.create(tmp_path / "home", NEW))
    for secret in (NEW.secret, NEW.entropy, NEW.device_seed):
        assert repr(secret) not in shown and secret.hex() not in shown


def test_a_second_home_in_one_folder_is_refused(tmp_path: Path) -> None:
    Home.create(tmp_path, NEW)
    with pytest.raises(RefusedError):
        Home.create(tmp_path, replace(NEW, name="bob"))
    assert Home.open(tmp_path).name == "ann"


def test_an_absent_home_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="There is no home") as caught:
        Home.open(tmp_path)
    assert "capsa init" in caught.value.hint


def test_a_home_that_was_not_finished_is_absent(tmp_path: Path) -> None:
    """`home.json` is written last: without it, what lies there can be made again."""
    Home.create(tmp_path, NEW)
    (tmp_path / "home.json").unlink()
    Home.create(tmp_path, replace(NEW, name="bob"))
    assert Home.open(tmp_path).name == "bob"


def test_a_newer_home_is_left_to_a_newer_capsa(tmp_path: Path) -> None:
    Home.create(tmp_path, NEW)
    facts = json.loads((tmp_path / "home.json").read_text())
    (tmp_path / "home.json").write_text(json.dumps(facts | {"format": 2}))
    with pytest.raises(HomeError, match="newer"):
        Home.open(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"format": "x"}', '{"format": 1, "network": 7}', "\xff"]
)
def test_a_damaged_home_says_so(tmp_path: Path, content: str) -> None:
    Home.create(tmp_path, NEW)
    (tmp_path / "home.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(HomeError, match="damaged"):
        Home.open(tmp_path)


@pytest.mark.parametrize("name", ["keys/device", "keys/network", "keys/owner.json", "papers"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"aaaa", b"{}", None])
def test_a_damaged_file_of_a_home_says_so(tmp_path: Path, name: str, content: bytes | None) -> None:
    home = Home.create(tmp_path, NEW)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    read = {
        "keys/device": home.device,
        "keys/network": home.secret,
        "keys/owner.json": home.owner_keys,
        "papers": home.papers,
    }
    with pytest.raises(CapsaError) as caught:
        read[name]()
    assert caught.value.hint


def test_a_keystore_sealed_otherwise_is_locked(tmp_path: Path) -> None:
    home = Home.create(tmp_path, NEW)
    (tmp_path / "keys" / "owner.json").write_text('{"version": 1, "kdf": "argon2id"}')
    with pytest.raises(LockedError):
        home.owner_keys()


def test_another_owners_keystore_is_not_taken(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "a", NEW)
    Home.create(tmp_path / "b", replace(NEW, entropy=b"x" * 32))
    (tmp_path / "b" / "keys" / "owner.json").replace(tmp_path / "a" / "keys" / "owner.json")
    with pytest.raises(HomeError, match="another owner"):
        home.owner_keys()


def test_one_process_holds_a_home(tmp_path: Path) -> None:
    home = Home.create(tmp_path, NEW)
    with home.locked():
        with pytest.raises(HomeInUseError) as caught, home.locked():
            pass
        assert caught.value.kind == "home_in_use"
    with home.locked():
        pass

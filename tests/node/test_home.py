"""A home on disk: whole or absent, private, and held by one process."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from capsa.core.ids import NetworkId, to_base32
from capsa.core.keys import DeviceKey, OwnerKeys
from capsa.core.keystore import Hardness, SealedKeystore
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


def test_a_folder_of_other_things_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letters").mkdir()
    Home.create(tmp_path, NEW)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_of_two_who_make_one_home_one_is_refused_and_no_keys_are_mixed(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def make(name: str) -> Home | RefusedError:
        together.wait()
        try:
            return Home.create(tmp_path / "home", replace(NEW, name=name, device_seed=name.encode() * 32))
        except RefusedError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, "abcd"))
    [home] = [outcome for outcome in made if isinstance(outcome, Home)]
    assert Home.open(tmp_path / "home") == home and home.device().node == home.node


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
    (tmp_path / "keys" / "owner.json").write_text('{"version": 1, "kdf": "scrypt"}')
    with pytest.raises(LockedError):
        home.owner_keys()


LIGHT = Hardness(memory_kib=8, passes=1, lanes=1)


def sealed_under(passphrase: str) -> SealedKeystore:
    owner = OwnerKeys.from_entropy(NEW.entropy).owner
    return SealedKeystore.seal(NEW.entropy, passphrase, owner=owner, salt=b"salt" * 4, hardness=LIGHT)


def test_a_home_with_a_passphrase_keeps_the_entropy_nowhere(tmp_path: Path) -> None:
    home = Home.create(tmp_path, replace(NEW, sealed=sealed_under("open sesame")))
    assert home.owner_keys("open sesame").owner == home.owner
    for passphrase in (None, "open barley"):
        with pytest.raises(LockedError):
            home.owner_keys(passphrase)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert NEW.entropy not in path.read_bytes() and to_base32(NEW.entropy).encode() not in path.read_bytes()


def test_a_keystore_is_replaced_whole(tmp_path: Path) -> None:
    home, after = Home.create(tmp_path, NEW), sealed_under("open sesame")
    home.replace_keystore(home.keystore(), after)
    assert home.keystore() == after
    assert [path.name for path in (tmp_path / "keys").iterdir() if path.name.startswith("owner")] == ["owner.json"]
    assert (tmp_path / "keys" / "owner.json").stat().st_mode & 0o777 == 0o600


def test_of_two_who_replace_a_keystore_one_is_refused(tmp_path: Path) -> None:
    home, first, second = Home.create(tmp_path, NEW), sealed_under("first"), sealed_under("second")
    before = home.keystore()
    home.replace_keystore(before, first)
    with pytest.raises(RefusedError):
        home.replace_keystore(before, second)
    assert home.keystore() == first


class Killed(BaseException):
    """`kill -9`: nothing runs any more that would tidy up."""


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), Killed()], ids=["full", "killed"]
)
@pytest.mark.parametrize(
    ("step", "is_new"),
    [(0, False), (1, False), (2, False), (3, True)],
    ids=["sync of the file", "sync of its name", "replacement", "sync of the folder"],
)
def test_wherever_a_replacement_stops_a_keystore_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, is_new: bool, failure: BaseException
) -> None:
    home, after = Home.create(tmp_path, NEW), sealed_under("open sesame")
    before = home.keystore()
    steps_left = iter(range(step))

    def failing(call: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(*words: Any) -> Any:
            if next(steps_left, None) is None:
                raise failure
            return call(*words)

        return attempt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync))
        patch.setattr(Path, "replace", failing(Path.replace))
        with pytest.raises(type(failure)):
            home.replace_keystore(before, after)
    assert home.keystore() == (after if is_new else before)
    home.replace_keystore(home.keystore(), after)
    assert home.keystore() == after
    assert not list((tmp_path / "keys").glob("*.new"))


def test_what_a_killed_replacement_left_goes_with_the_next_start(tmp_path: Path) -> None:
    home = Home.create(tmp_path, NEW)
    draft = tmp_path / "keys" / "owner.new"
    draft.write_bytes(home.keystore().encode())
    with home.locked():
        assert not draft.exists()
    assert home.owner_keys().owner == home.owner


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

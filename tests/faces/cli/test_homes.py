"""Commands of a home alone: what they refuse, and with which exit code. In this process, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mnemonic import Mnemonic

from capsa.core.cards import Invite, format_card, format_invite, make_card
from capsa.core.keys import Ed25519Key, OwnerKeys
from capsa.core.statements import found, invite, network_id
from capsa.faces.cli import main
from capsa.node.home import Home

COMMANDS = (*(["invite"], ["card"], ["up"], ["put", "x"], ["get", "x"], ["ls"], ["info", "x"], ["peers"], ["status"]),)


class Capsa:
    """Runs commands in one home, in this process."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys
        self.stderr = ""

    def __call__(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """The exit code, and the documents on stdout."""
        code = main(["--home", str(self.home), "--json", *words])
        out, self.stderr = self._capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def capsa(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Capsa:
    return Capsa(tmp_path / "home", capsys)


@pytest.fixture
def alone(capsa: Capsa) -> Capsa:
    """The only member of a network."""
    assert capsa("init", "--no-passphrase")[0] == 0
    return capsa


def expired_invite() -> str:
    owner, one_time = OwnerKeys.from_entropy(bytes(32)), bytes(range(32))
    founding = found(owner.signing, nonce=bytes(16), created=0)
    network = network_id(founding)
    grant = invite(owner.signing, network, one_time=Ed25519Key(one_time).public, created=0, expires=1)
    return format_invite(Invite(make_card(founding, bytes(32), ()), grant, one_time))


def a_card() -> str:
    founding = found(OwnerKeys.from_entropy(bytes(32)).signing, nonce=bytes(16), created=0)
    return format_card(make_card(founding, bytes(32), ()))


def test_init_makes_a_home_and_tells_its_phrase(capsa: Capsa) -> None:
    code, [told] = capsa("init", "--name", "Ann", "--no-passphrase")
    home = Home.open(capsa.home)
    assert code == 0
    assert home.name == "Ann"
    phrase = Mnemonic("english")
    assert len(told["phrase"].split()) == 24
    assert phrase.check(told["phrase"])
    entropy = bytes(phrase.to_entropy(told["phrase"]))
    assert OwnerKeys.from_entropy(entropy).owner == home.owner == home.owner_keys().owner
    assert {*told} >= {"owner", "network", "node", "phrase"}


def test_a_second_init_is_refused_and_changes_nothing(alone: Capsa) -> None:
    before = {path: path.read_bytes() for path in alone.home.rglob("*") if path.is_file()}
    code, [told] = alone("init", "--no-passphrase")
    assert code == 7
    assert told["error"]["kind"] == "refused"
    assert {path: path.read_bytes() for path in alone.home.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("words", "passphrase"),
    [
        (["init"], None),
        (["init", "--no-passphrase", "--passphrase-file", "f"], None),
        (["init"], "\udcff"),
        (["init", "--copies", "three", "--no-passphrase"], ""),
        (["init", "--copies", "65", "--no-passphrase"], ""),
        (["init", "--copies", "-1", "--no-passphrase"], ""),
        (["init", "--name", "a\nb", "--no-passphrase"], ""),
        (["init", "--name", "a" * 65, "--no-passphrase"], ""),
        (["join", "capsa-invite:nonsense", "--no-passphrase"], ""),
        (["join", a_card(), "--no-passphrase"], ""),
        (["join", expired_invite(), "--invite-file", "f", "--no-passphrase"], ""),
    ],
)
def test_a_home_is_not_made_from_what_cannot_be_understood(
    capsa: Capsa, monkeypatch: pytest.MonkeyPatch, words: list[str], passphrase: str | None
) -> None:
    monkeypatch.delenv("CAPSA_PASSPHRASE")
    if passphrase is not None:
        monkeypatch.setenv("CAPSA_PASSPHRASE", passphrase)
    code, [told] = capsa(*words)
    assert code == 2
    assert told["error"]["kind"] == "usage"
    assert not capsa.home.exists()


def test_an_expired_invite_is_refused(capsa: Capsa) -> None:
    code, [told] = capsa("join", expired_invite())
    assert code == 7
    assert "expired" in told["error"]["message"]
    assert not capsa.home.exists()


def test_an_invite_file_that_is_not_there_is_not_found(capsa: Capsa, tmp_path: Path) -> None:
    assert capsa("join", "--invite-file", str(tmp_path / "nothing"))[0] == 3


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_that_there_is_no_home(capsa: Capsa, words: list[str]) -> None:
    code, [told] = capsa(*words)
    assert code == 10
    assert told["error"]["kind"] == "home"
    assert "capsa init" in told["error"]["hint"]
    assert capsa.stderr.count("\n") == 1
    assert not capsa.home.exists()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_home_of_a_newer_version(alone: Capsa, words: list[str]) -> None:
    facts = json.loads((alone.home / "home.json").read_text())
    (alone.home / "home.json").write_text(json.dumps({**facts, "format": 2}))
    code, [told] = alone(*words)
    assert code == 10
    assert "newer" in told["error"]["message"]


@pytest.mark.parametrize("words", [["invite"], ["put", __file__], ["get", "x"], ["ls"], ["info", "x"]], ids=" ".join)
def test_commands_that_need_keys_say_that_they_are_locked(alone: Capsa, words: list[str]) -> None:
    (alone.home / "keys" / "owner.json").write_text('{"version": 1, "kdf": "scrypt"}')
    code, [told] = alone(*words)
    assert code == 9
    assert told["error"]["kind"] == "locked"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["up", "--listen", "udp://a:1"], "udp://a:1"),
        (["up", "--listen", "none", "--listen", "tcp://a:1"], "none"),
        (["up", "--peer", "somewhere"], "somewhere"),
        (["up", "--capacity", "much"], "much"),
        (["up", "--zone", "a\x1b"], "name"),
        (["up", "--http", "127.0.0.1:8080"], "--http"),
        (["invite", "--expires", "soon"], "soon"),
        (["put", "."], "folder"),
        (["put", "-"], "stdin"),
        (["put", "a", "b", "--as", "c"], "--as"),
        (["put", "a", "--as", "../c"], "../c"),
        (["put", "a", "--copies", "-1"], "--copies"),
        (["put", "a", "--copies", "65"], "--copies"),
        (["get"], "get"),
        (["get", "a", "--cap-file", "b"], "twice"),
        (["get", "capsa-cap:nonsense"], "cap"),
        (["get", "capsa-invite:secret"], "invite"),
        (["get", "a", "-o", "-"], "--json"),
        (["get", "/a"], "/a"),
        (["ls", "a//b"], "a//b"),
        (["info", "a/"], "a/"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error_before_anything_happens(
    alone: Capsa, words: list[str], named: str
) -> None:
    code, [told] = alone(*words)
    assert code == 2
    assert told["error"]["kind"] == "usage"
    assert named in told["error"]["message"]
    assert "secret" not in told["error"]["message"]


def test_unknown_settings_are_refused_with_the_nearest_name(alone: Capsa) -> None:
    (alone.home / "capsa.toml").write_text("capasity = 1\n")
    code, [told] = alone("up")
    assert code == 2
    assert "'capacity'" in told["error"]["hint"]


def test_an_unknown_log_level_is_refused(alone: Capsa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSA_LOG", "loud")
    assert alone("up")[0] == 2


def test_alone_a_put_is_stored_in_fewer_copies_than_asked(alone: Capsa, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("a note")
    code, [told] = alone("put", str(note))
    assert code == 4
    assert told["copies"] == {"durable": 1, "wanted": 4}
    code, [told] = alone("put", str(note))
    assert (code, told["unchanged"], told["copies"]) == (4, True, {"durable": 1, "wanted": 4})
    code, [told] = alone("put", str(note), "--as", "other", "--copies", "0")
    assert (code, told["copies"]) == (0, {"durable": 1, "wanted": 1})
    code, [told] = alone("status")
    assert (code, told["health"]) == (0, "alone")
    assert told["underreplicated"] > 0
    target = tmp_path / "back.txt"
    assert alone("get", "note.txt", "-o", str(target))[0] == 0
    assert target.read_text() == "a note"


def test_an_invite_of_nobody_who_listens_comes_with_a_hint(alone: Capsa) -> None:
    code, [told] = alone("invite")
    assert code == 0
    assert told["invite"].startswith("capsa-invite:")
    assert "capsa up" in alone.stderr


def test_joining_with_nobody_to_ask_is_left_to_up(
    alone: Capsa, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, [told] = alone("invite")
    joiner = Capsa(tmp_path / "joiner", capsys)
    code, [joined] = joiner("join", told["invite"])
    assert (code, joined["admitted"]) == (0, False)
    assert "capsa up" in joiner.stderr
    assert joined["network"] == json.loads((alone.home / "home.json").read_text())["network"]
    code, [refused] = joiner("invite")
    assert (code, refused["error"]["kind"]) == (7, "refused")


def test_an_error_of_ours_is_a_sentence_without_a_traceback(
    alone: Capsa, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(root: Path) -> Home:
        raise ZeroDivisionError("unheard of")

    monkeypatch.setattr(Home, "open", broken)
    code, [told] = alone("ls")
    assert code == 1
    assert "unheard of" in told["error"]["message"]
    assert "Traceback" not in alone.stderr
    monkeypatch.setenv("CAPSA_DEBUG", "1")
    alone("ls")
    assert "Traceback" in alone.stderr

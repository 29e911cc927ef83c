"""Section 9 of the design against real processes: what each command says, and with which code it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from capsa.core.caps import Cap, format_cap, parse_cap
from capsa.core.ids import BlockId
from capsa.faces.cli.demo.processes import NodeProcess, Outcome, command, run, run_well
from tests.faces.cli.networks import Network, start, until_alive

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(80)
PDF = b"%PDF-1.7\n" + b"x" * 80
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(80)
BIG = 3 * 2**20 + 12345
"""More than a chunk, and no whole number of them."""

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A file that no other test has."""
    path = tmp_path / "film.mkv"
    path.write_bytes(os.urandom(BIG))
    return path


def own_key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def put(network: Network, path: Path) -> Outcome:
    return run_well(network.ann, "put", str(path), "--as", own_key(path))


def failed(outcome: Outcome, code: int, kind: str) -> None:
    """It ended with this code, one line on stderr without a traceback, and the error as the last document."""
    assert outcome.code == code, outcome
    assert outcome.last["error"]["kind"] == kind
    assert {*outcome.last["error"]} == {"kind", "message", "hint", "retryable"}
    assert outcome.stderr.count("\n") == 1
    assert "Traceback" not in outcome.stderr


def test_a_file_goes_in_and_comes_out_elsewhere(network: Network, film: Path, tmp_path: Path) -> None:
    os.utime(film, ns=(10**18, 10**18))
    film.chmod(0o640)
    outcome = put(network, film)
    told = outcome.last
    assert len(outcome.documents) == 1
    assert (told["key"], told["size"], told["unchanged"]) == (own_key(film), BIG, False)
    assert told["copies"] == {"durable": 3, "wanted": 3}
    assert told["blocks"] == 5
    assert told["new_bytes"] >= BIG
    assert told["seconds"] >= 0
    again = put(network, film).last
    assert (again["unchanged"], again["new_bytes"], again["cap"]) == (True, 0, told["cap"])
    target = tmp_path / "back.mkv"
    got = run_well(network.home("eve"), "get", told["cap"], "-o", str(target)).last
    assert {*got} >= {"key", "path", "size", "media_type", "seconds"}
    assert (got["path"], got["size"], got["media_type"]) == (str(target), BIG, "video/x-matroska")
    assert target.read_bytes() == film.read_bytes()
    assert (target.stat().st_mtime_ns, target.stat().st_mode & 0o777) == (10**18, 0o640)


def test_a_cap_is_taken_from_a_file_or_stdin(network: Network, film: Path, tmp_path: Path) -> None:
    cap = put(network, film).last["cap"]
    (tmp_path / "cap").write_text(f"{cap}\n")
    run_well(network.home("ben"), "get", "--cap-file", str(tmp_path / "cap"), "-o", str(tmp_path / "one"))
    run_well(network.home("ben"), "get", "-", "-o", str(tmp_path / "two"), stdin=cap.encode())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == film.read_bytes()


@pytest.mark.parametrize(
    ("name", "key", "content", "media_type", "path"),
    [
        ("a.png", "x/y/a.png", PNG, "image/png", "a.png"),
        ("a.png", "x/y/picture", PNG, "image/png", "picture.png"),
        ("a.pdf", "x/y/paper", PDF, "application/pdf", "paper.pdf"),
        ("a.mp4", "x/y/clip", MP4, "video/mp4", "clip.mp4"),
        ("Makefile", "x/y/Makefile", b"all:\n\ttrue\n", "text/plain", "Makefile"),
        ("-", "x/y/stdin.bin", b"\x00\x01\x02", "application/octet-stream", "stdin.bin"),
        ("-", "x/y/piped", PNG + b"!", "image/png", "piped.png"),
    ],
)
def test_files_come_back_under_their_own_name_and_type(
    network: Network, tmp_path: Path, name: str, key: str, content: bytes, media_type: str, path: str
) -> None:
    source = tmp_path / "from" / name
    source.parent.mkdir()
    source.write_bytes(content)
    argument = "-" if name == "-" else str(source)
    assert run_well(network.ann, "put", argument, "--as", key, stdin=content).last["key"] == key
    got = run_well(network.ann, "get", key, "-o", str(tmp_path)).last
    assert (got["path"], got["media_type"]) == (str(tmp_path / path), media_type)
    assert (tmp_path / path).read_bytes() == content


def test_stdout_gets_the_bytes_and_nothing_else(network: Network, film: Path) -> None:
    put(network, film)
    words = [word for word in command(network.ann, "get", own_key(film), "-o", "-") if word != "--json"]
    assert subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout == film.read_bytes()


def test_a_full_disk_behind_stdout_is_no_space(network: Network, film: Path) -> None:
    put(network, film)
    words = [word for word in command(network.ann, "get", own_key(film), "-o", "-") if word != "--json"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 8
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_goes_away_makes_no_noise(network: Network, film: Path) -> None:
    put(network, film)
    words = [word for word in command(network.ann, "get", own_key(film), "-o", "-") if word != "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_nothing_is_overwritten_unasked(network: Network, film: Path, tmp_path: Path) -> None:
    put(network, film)
    target = tmp_path / "precious"
    target.write_text("precious")
    failed(run(network.ann, "get", own_key(film), "-o", str(target)), 7, "refused")
    assert target.read_text() == "precious"
    run_well(network.ann, "get", own_key(film), "-o", str(target), "--force")
    assert target.read_bytes() == film.read_bytes()


def test_other_bytes_under_the_same_key_are_refused(network: Network, film: Path) -> None:
    put(network, film)
    film.write_bytes(b"something else")
    outcome = run(network.ann, "put", str(film), "--as", own_key(film))
    failed(outcome, 7, "refused")
    assert outcome.last["key"] == own_key(film)


def test_one_bad_file_does_not_stop_the_rest(network: Network, film: Path, tmp_path: Path) -> None:
    good = film.rename(tmp_path / f"{tmp_path.name}.mkv")
    outcome = run(network.ann, "put", str(tmp_path / "missing"), str(good))
    assert outcome.code == 1
    lines = {line["key"]: line for line in outcome.documents}
    assert lines["missing"]["error"]["kind"] == "not_found"
    assert lines[good.name]["size"] == BIG


def test_a_missing_source_is_not_found(network: Network, tmp_path: Path) -> None:
    failed(run(network.ann, "put", str(tmp_path / "missing")), 3, "not_found")


def test_more_copies_than_there_are_nodes_are_not_reached(network: Network, film: Path) -> None:
    outcome = run(network.ann, "put", str(film), "--as", own_key(film), "--copies", "3")
    assert outcome.code == 4
    assert outcome.last["copies"] == {"durable": 3, "wanted": 4}


@pytest.mark.parametrize("words", [["get"], ["info"]], ids=" ".join)
def test_an_unknown_key_is_not_found(network: Network, words: list[str]) -> None:
    failed(run(network.ann, *words, "no/such/key"), 3, "not_found")


def test_a_folder_that_is_not_there_is_not_found(network: Network, film: Path, tmp_path: Path) -> None:
    put(network, film)
    failed(run(network.ann, "get", own_key(film), "-o", str(tmp_path / "none" / "film")), 3, "not_found")
    failed(run(network.ann, "get", own_key(film), "-o", f"{tmp_path}/none/"), 3, "not_found")


def test_a_cap_with_a_wrong_key_is_an_integrity_failure(network: Network, film: Path, tmp_path: Path) -> None:
    cap = parse_cap(put(network, film).last["cap"])
    wrong = format_cap(Cap(cap.root, bytes(32)))
    outcome = run(network.ann, "get", "-", "-o", str(tmp_path / "back"), stdin=wrong.encode())
    failed(outcome, 5, "integrity")
    assert not (tmp_path / "back").exists()


def test_a_cap_of_nothing_is_not_found(network: Network) -> None:
    failed(run(network.ann, "get", "-", stdin=format_cap(Cap(BlockId(bytes(32)), bytes(32))).encode()), 3, "not_found")


def test_a_cap_that_only_a_silent_node_may_have_is_unreachable(tmp_path: Path) -> None:
    ann, ben = tmp_path / "ann", tmp_path / "ben"
    run_well(ann, "init", "--name", "Ann")
    with start(ann):
        run_well(ben, "join", "--name", "Ben", stdin=run_well(ann, "invite").last["invite"].encode())
        with start(ben):
            until_alive(ben, 2)
    cap = format_cap(Cap(BlockId(bytes(32)), bytes(32))).encode()
    failed(run(ben, "get", "-", "-o", str(tmp_path / "back"), stdin=cap), 6, "unreachable")
    assert not (tmp_path / "back").exists()


def test_ls_lists_a_prefix_and_info_says_where_a_file_lies(network: Network, film: Path) -> None:
    stored = put(network, film).last
    [line] = run_well(network.ann, "ls", f"{film.parent.name}/").documents
    assert (line["key"], line["kind"]) == (own_key(film), "file")
    assert (line["size"], line["media_type"], line["cap"]) == (BIG, "video/x-matroska", stored["cap"])
    assert RFC3339.fullmatch(line["mtime"])
    assert run_well(network.ann, "ls", "no/such/prefix").documents == []
    told = run_well(network.ann, "info", own_key(film)).last
    assert told["copies"] == {"least": 3, "wanted": 3}
    assert told["holders"] == {network.nodes[name].node: stored["blocks"] for name in ("ann", "ben", "cleo")}
    assert {*told} >= {*line}


def test_peers_and_status_tell_of_the_network(network: Network) -> None:
    lines = run_well(network.home("ben"), "peers").last["nodes"]
    assert {line["name"] for line in lines} == {"Ann", "Ben", "Cleo", "Eve"}
    for line in lines:
        assert {*line} >= {"node", "owner", "zone", "state", "addresses", "free", "capacity", "seen"}
        assert RFC3339.fullmatch(line["seen"])
    told = run_well(network.home("ben"), "status").last
    assert told["node"] == network.nodes["ben"].node
    assert told["peers"] == {"alive": 3, "suspect": 0, "gone": 0}
    assert {*told} >= {"owner", "network", "blocks", "bytes", "underreplicated", "reachable", "health", "as_of"}
    assert told["health"] in {"ok", "degraded"}


def test_card_and_invite_are_told(network: Network) -> None:
    assert run_well(network.home("cleo"), "card").last["card"].startswith("capsa-card:")
    assert RFC3339.fullmatch(run_well(network.home("cleo"), "invite", "--expires", "1h").last["expires"])


def test_an_invite_lets_one_owner_in_and_leaves_no_home_to_a_second(tmp_path: Path) -> None:
    ann, third = tmp_path / "ann", tmp_path / "third"
    run_well(ann, "init")
    with start(ann):
        invite = run_well(ann, "invite").last["invite"].encode()
        assert run_well(tmp_path / "first", "join", stdin=invite).last["admitted"] is True
        failed(run(tmp_path / "second", "join", stdin=invite), 7, "refused")
        assert not (tmp_path / "second").exists()
        third.mkdir()
        (third / "mine").write_text("mine")
        failed(run(third, "join", stdin=invite), 7, "refused")
        assert [path.name for path in third.iterdir()] == ["mine"]


def test_a_home_has_one_node(network: Network) -> None:
    failed(run(network.ann, "up"), 10, "home_in_use")


def test_interrupting_a_put_that_waits_for_stdin_ends_it_and_leaves_no_entry(network: Network) -> None:
    with subprocess.Popen(
        command(network.ann, "put", "-", "--as", "interrupted"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # The pipe holds 64 KiB: once more than that has gone in, the command reads, and then waits.
        process.stdin.write(bytes(2**17))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert b'"interrupted"' in process.stdout.read()
        assert process.wait() == 130
    failed(run(network.ann, "info", "interrupted"), 3, "not_found")


def test_up_remembers_its_options_and_ends_cleanly(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_well(home, "init")
    assert start(home, "--zone", "attic", capacity="5GB").stop() == 0
    with NodeProcess(home).wait_ready() as node:
        assert node.listen[0].startswith("tcp://127.0.0.1:")
        [line] = run_well(home, "peers").last["nodes"]
        assert (line["zone"], line["capacity"]) == ("attic", 5 * 10**9)


def test_an_address_that_is_taken_is_refused(network: Network, tmp_path: Path) -> None:
    run_well(tmp_path / "home", "init")
    failed(run(tmp_path / "home", "up", "--listen", network.nodes["ann"].listen[0]), 7, "refused")
    assert not (tmp_path / "home" / "capsa.toml").exists()


def test_a_joiner_whom_nobody_answered_becomes_a_member_at_up(tmp_path: Path) -> None:
    ann, ben = tmp_path / "ann", tmp_path / "ben"
    run_well(ann, "init", "--name", "Ann")
    with start(ann) as node:
        address = node.listen[0]
        invite = run_well(ann, "invite").last["invite"].encode()
    joined = run_well(ben, "join", "--name", "Ben", stdin=invite)
    assert joined.last["admitted"] is False
    assert "capsa up" in joined.stderr
    with start(ann, listen=address), start(ben):
        for _ in range(60):
            if run_well(ben, "status").last["admitted"]:
                break
        else:
            raise AssertionError("Ben was not admitted while 60 questions were answered.")


def test_it_runs_as_a_module_and_as_a_command() -> None:
    for words in ([sys.executable, "-m", "capsa"], [str(Path(sys.executable).with_name("capsa"))]):
        done = subprocess.run([*words, "--version"], capture_output=True, check=True)
        assert re.fullmatch(rb"capsa \d+\.\d+\.\d+\n", done.stdout)

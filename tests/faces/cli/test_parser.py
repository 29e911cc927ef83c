from __future__ import annotations

import pytest

from capsa.errors import UsageError
from capsa.faces.cli.grammar import BY_NAME, LATER
from capsa.faces.cli.options import VersionAsked
from capsa.faces.cli.parser import parse


@pytest.mark.parametrize(
    "words",
    [
        ["--home", "/h", "--json", "--quiet", "ls"],
        ["ls", "--home", "/h", "--json", "--quiet"],
        ["--json", "ls", "--home=/h", "-q"],
    ],
)
def test_global_options_stand_before_or_after_the_command(words: list[str]) -> None:
    options = parse(words)
    assert (options.command, options.home, options.json, options.quiet) == ("ls", "/h", True, True)


@pytest.mark.parametrize("words", [["--version"], ["put", "--version"], ["get", "--version"], ["--version", "up"]])
def test_the_version_is_asked_for_anywhere(words: list[str]) -> None:
    with pytest.raises(VersionAsked):
        parse(words)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["put", "x", "--retain", "10y"], "--retain"),
        (["put", "--retain=10y", "x"], "--retain"),
        *[([name], f"capsa {name}") for name in LATER],
        (["rm", "x", "--whatever", "-h"], "capsa rm"),
    ],
)
def test_what_a_later_version_will_have_is_refused_by_name(words: list[str], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert caught.value.message == f"{named} is not available in this version."


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fetch"],
        ["put"],
        ["info"],
        ["ls", "a", "b"],
        ["ls", "--deep"],
        ["up", "--capacity"],
        ["put", "x", "--cop", "3"],  # no abbreviations: a later option could change what they mean
        ["--json"],
    ],
)
def test_what_is_not_understood_is_a_usage_error_with_a_hint(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert caught.value.message.endswith(".")
    assert "--help" in caught.value.hint


def test_get_takes_the_version_of_a_file_where_the_others_ask_for_capsas_own() -> None:
    assert parse(["get", "x", "--version", "3"]).version == "3"
    assert parse(["get", "x", "--version", ""]).version == "", "a script's variable that is not set asks for nothing"
    assert parse(["get", "x"]).version is None
    with pytest.raises(VersionAsked):
        parse(["get", "--version"])
    with pytest.raises(UsageError, match="names no version"):  # a script's variable that is not set, unquoted
        parse(["get", "x", "--version", "-o", "y"])


def test_help_names_every_command_of_this_version_and_none_of_a_later_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    listed = {line.split()[0] for line in text.splitlines() if line.startswith("  ") and line.split()}
    assert set(BY_NAME) <= listed
    assert not listed & set(LATER)


def test_a_command_that_is_none_is_told_without_those_of_later_versions() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["fetch"])
    assert caught.value.message == "There is no command 'fetch'."


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["pput"], "'put'"),
        (["put", "x", "--copie", "3"], "'--copies'"),
        (["put", "x", "--exclud=*.o"], "'--exclude'"),
        (["get", "-dash.txt", "x"], "after '--'"),
    ],
)
def test_what_was_probably_meant_is_in_the_hint(words: list[str], meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert meant in caught.value.hint

"""Completion for fish. What a command substitution prints is never evaluated again, and fish quotes what it inserts."""

from __future__ import annotations

from typing import Final

from capsa.faces.cli.grammar import BY_NAME
from capsa.faces.cli.manual.shells.takes import Takes, takes, words_of
from capsa.faces.cli.manual.syntax import Argument, arguments_of, common_options

_HEAD: Final = r"""# Completion of capsa for fish, made by 'capsa completion fish'.

# The command that was typed, and with --home the home, one a line; the value of --home is no command.
function __capsa_typed
    set -l tokens (commandline -opc)
    set -l home
    set -l command
    set -e tokens[1]
    while set -q tokens[1]
        switch $tokens[1]
            case --home
                set -e tokens[1]
                set home $tokens[1]
            case '--home=*'
                set home (string replace -- --home= '' $tokens[1])
            case '-*'
            case '*'
                set -q command[1]; or set command $tokens[1]
        end
        set -e tokens[1]
    end
    if test "$argv[1]" = home
        string replace -r -- '^~/' "$HOME/" $home
    else
        echo -- $command
    end
end

function __capsa_is
    set -l command (__capsa_typed)
    test "$command" = "$argv[1]"
end

# Offers the stored keys that begin with what is typed, while a node runs and the keys are open.
function __capsa_keys
    set -l typed (commandline -ct | string replace -r -- '^--[a-z-]+=' '')
    set -l plain
    for end in '' '"' "'"
        set plain (string unescape -- "$typed$end" 2>/dev/null); and break
    end
    set -l home (__capsa_typed home)
    set -q home[1]; and set home --home $home
    capsa $home completion fish --keys="$plain" </dev/null 2>/dev/null
end

complete -c capsa -f
"""


def script() -> str:
    """What fish is to read."""
    lines = [_line("", option) for option in common_options() if option.flags]
    for name, command in BY_NAME.items():
        lines.append(f"complete -c capsa -n '__capsa_is \"\"' -a {name} -d {_quote(command.summary)}")
    shared = {option.flags for option in common_options()}
    for name in BY_NAME:
        lines += [_line(name, argument) for argument in arguments_of(name) if argument.flags not in shared]
    return _HEAD + "\n".join(line for line in lines if line) + "\n"


def _line(name: str, argument: Argument) -> str:
    kind = takes(argument)
    words = ["complete", "-c", "capsa"]
    if name:
        words += ["-n", f"'__capsa_is {name}'"]
    for flag in argument.flags:
        words += ["-l", flag[2:]] if flag.startswith("--") else ["-s", flag[1:]]
    if argument.flags:
        words += ["-d", _quote(argument.explanation)]
        if argument.value and argument.needed:
            words.append("-r" if kind is Takes.FILES else "-x")
    offered = {
        Takes.WORDS: ["-a", _quote(" ".join(words_of(argument)))],
        Takes.FILES: ["-F"],
        Takes.FOLDERS: ["-a", "'(__fish_complete_directories (commandline -ct))'"],
        Takes.KEYS: ["-a", "'(__capsa_keys)'"],
        Takes.NOTHING: [],
    }[kind]
    if not argument.flags and not offered:
        return ""
    return " ".join([*words, *(offered if argument.value else [])])


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

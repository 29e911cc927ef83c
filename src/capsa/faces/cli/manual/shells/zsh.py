"""Completion for zsh, by its own `_arguments`. Keys go through `compadd`, which quotes them; nothing is evaluated."""

from __future__ import annotations

from typing import Final

from capsa.faces.cli.grammar import BY_NAME
from capsa.faces.cli.manual.shells.takes import Takes, takes, words_of
from capsa.faces.cli.manual.syntax import Argument, arguments_of, common_options

_HEAD: Final = r"""#compdef capsa
# Completion of capsa for zsh, made by 'capsa completion zsh'.

# Offers the stored keys that begin with what is typed, while a node runs and the keys are open.
_capsa_keys() {
    local key place=${_capsa_home:-${opt_args[--home]}}
    local -a keys folders home
    if [[ -n $place ]]; then home=(--home "${${(Q)place}/#\~\//$HOME/}"); fi
    for key in "${(@f)$(_call_program keys capsa ${(q)home} completion zsh --keys=${(q)${(Q)PREFIX}} </dev/null)}"; do
        if [[ $key == */ ]]; then folders+=("$key"); elif [[ -n $key ]]; then keys+=("$key"); fi
    done
    compadd -a keys
    compadd -S '' -a folders
}
"""


def script() -> str:
    """What zsh is to read, from a folder in its `fpath` or by `source`."""
    commands = "\n".join(f"        {_quote(f'{name}:{command.summary}')}" for name, command in BY_NAME.items())
    cases = "\n".join(f"        {name}) _arguments -s -S{_specs(arguments_of(name))} ;;" for name in BY_NAME)
    return f"""{_HEAD}
_capsa_commands() {{
    local -a commands
    commands=(
{commands}
    )
    _describe -t commands 'command' commands
}}

_capsa() {{
    local context curcontext=$curcontext state line _capsa_home
    local -A opt_args
    _arguments -C -S{_specs(common_options())} \\
        '1:command:_capsa_commands' \\
        '*:: :->arguments' && return
    _capsa_home=${{opt_args[--home]}}
    case $words[1] in
{cases}
    esac
}}

if [[ $funcstack[1] == _capsa ]]; then _capsa "$@"; else compdef _capsa capsa; fi
"""


def _specs(arguments: list[Argument]) -> str:
    """The arguments as `_arguments` takes them, each on a line of its own."""
    return "".join(f" \\\n            {spec}" for argument in arguments for spec in _spec(argument))


def _spec(argument: Argument) -> list[str]:
    value = f":{_escape(argument.value)}:{_action(argument)}" if argument.value else ""
    if not argument.flags:
        place = "*" if argument.many else "1" if argument.needed else "1:"
        return [_quote(f"{place}{value}")]
    again = "*" if argument.again else f"({' '.join(argument.flags)})" if len(argument.flags) > 1 else ""
    joined = {True: "=", False: "+"}  # a long option's value may follow `=`, a short one's at once
    optional = ":" if value and not argument.needed else ""
    tail = f"[{_escape(argument.explanation)}]{optional}{value}"
    return [_quote(f"{again}{flag}{joined[flag.startswith('--')] if value else ''}{tail}") for flag in argument.flags]


def _action(argument: Argument) -> str:
    kind = takes(argument)
    if kind is Takes.WORDS:
        return f"({' '.join(words_of(argument))})"
    return {Takes.FILES: "_files", Takes.FOLDERS: "_files -/", Takes.KEYS: "_capsa_keys"}.get(kind, " ")


def _escape(text: str) -> str:
    return "".join(f"\\{c}" if c in r"\:[]" else c for c in text)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"

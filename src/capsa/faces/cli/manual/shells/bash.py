"""Completion for bash.

Bash hands us words with their quotes, divided at `:` and `=` as well. Keys come from anybody's file names, so nothing
is ever evaluated: no `eval`, and no `compgen -W` over anything but words of our own, since it expands its argument.
"""

from __future__ import annotations

from typing import Final

from capsa.faces.cli.grammar import BY_NAME
from capsa.faces.cli.manual.shells.takes import Takes, takes, words_of
from capsa.faces.cli.manual.syntax import arguments_of, common_options

_EMPTY: Final = "''"
_HEAD: Final = r"""# Completion of capsa for bash, made by 'capsa completion bash'.

# Reads the word $1 as the shell would, and runs or expands nothing in it. Sets `plain` to it without quotes, `open` to
# the quote that is not closed yet, and `cut` to what of `plain` readline leaves as it is when it puts in a completion.
_capsa_read() {
    local text=$1 char next i
    plain="" open="" cut=""
    for ((i = 0; i < ${#text}; i++)); do
        char=${text:i:1} next=${text:i+1:1}
        if [[ $char == "\\" && $open != "'" ]]; then
            if [[ -z $open || $next == [\$\`\"\\] ]]; then
                char=$next
                ((++i))
            fi
            plain+=$char
        elif [[ -z $open && $char == [\"\'] ]]; then
            open=$char cut=$plain
        elif [[ -n $open && $char == "$open" ]]; then
            open="" cut=$plain
        else
            plain+=$char
            if [[ -z $open && $COMP_WORDBREAKS == *"$char"* ]]; then cut=$plain; fi
        fi
    done
}

# Sets `words` to the words up to the cursor. Bash divides them at `:` and `=`, too: what stands together is one.
_capsa_words() {
    local line=${COMP_LINE:0:COMP_POINT} piece i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        if ((i > 0)) && [[ -n $line && $line != [[:space:]]* ]]; then
            words[-1]+=$piece
        else
            words+=("$piece")
        fi
        line=${line#"${line%%[![:space:]]*}"}
        line=${line#"$piece"}
    done
}

# Adds the stored keys that begin with `plain`, while a node runs and the keys are open. They are quoted here: what
# readline does to file names leaves `$` as it is in some.
_capsa_keys() {
    local key text
    while IFS= read -r key; do
        text=$before$key
        text=${text#"$cut"}
        case $open in
            "'") text=${text//\'/\'\\\'\'} ;;
            '"')
                if [[ $text == *!* ]]; then continue; fi # it would be taken for a reference to the history
                text=${text//\\/\\\\} text=${text//\$/\\$} text=${text//\`/\\\`} text=${text//\"/\\\"}
                ;;
            *) printf -v text %q "$text" ;;
        esac
        COMPREPLY+=("$text")
    done < <("$program" "${home[@]}" completion bash --keys="$plain" </dev/null 2>/dev/null)
}

# Adds what the function or builtin $1... prints, a line each.
_capsa_lines() {
    local text
    while IFS= read -r text; do
        text=$before$text
        COMPREPLY+=("${text#"$cut"}")
    done < <("$@" -- "$plain")
}

_capsa() {
    local words plain open cut program command="" previous before="" kind="" offers="" options="" i
    local -a home=()
    COMPREPLY=()
    _capsa_words
    _capsa_read "$1"
    program=${plain/#"~/"/"$HOME/"}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
            --home | --home=*)
                if [[ ${words[i]} == --home ]]; then ((++i)); fi
                _capsa_read "${words[i]#--home=}"
                home=(--home "${plain/#"~/"/"$HOME/"}")
                ;;
            -*) ;;
            *) if [[ -z $command ]]; then command=${words[i]}; fi ;;
        esac
    done
    previous=${words[-2]}
    _capsa_read "${words[-1]}"
    if [[ $plain == --*=* ]]; then
        before=${plain%%=*}=
        previous=${plain%%=*}
        plain=${plain#*=}
    fi
"""
_TAIL: Final = r"""    case $kind in
        keys) _capsa_keys ;;
        files) compopt -o filenames && _capsa_lines compgen -f ;;
        folders) compopt -o filenames && _capsa_lines compgen -d ;;
        words) _capsa_lines compgen -W "$offers" ;;
    esac
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi
}

complete -F _capsa capsa
"""


def script() -> str:
    """What bash is to read."""
    return f"{_HEAD}{_values()}{_operands()}{_TAIL}"


def _values() -> str:
    """What completes the value of the option that stands before the cursor."""
    lines = ["    case $command,$previous in"]
    shared = [argument.flags for argument in common_options()]
    for name in ("", *BY_NAME):
        for argument in arguments_of(name) if name else common_options():
            if argument.flags and argument.value and not (name and argument.flags in shared):
                pattern = " | ".join(f"{name or '*'},{flag}" for flag in argument.flags)
                lines.append(f"        {pattern}) {_set(takes(argument), words_of(argument))} ;;")
    return "\n".join([*lines, "    esac", ""])


def _operands() -> str:
    """What completes where no option's value is expected: options after a hyphen, else operands or commands."""
    lines = ["    if [[ -z $kind ]]; then", "        case $command in"]
    for name in ("", *BY_NAME):
        arguments = arguments_of(name) if name else common_options()
        options = " ".join(flag for argument in arguments for flag in argument.flags if flag.startswith("--"))
        operand = next((argument for argument in arguments if not argument.flags), None)
        what = _set(takes(operand), words_of(operand)) if operand else _set(Takes.NOTHING, ())
        if not name:
            what = _set(Takes.WORDS, tuple(BY_NAME))
        lines.append(f"            {name or _EMPTY}) {what} options='{options}' ;;")
    lines += ["        esac", "        if [[ $plain == -* && -z $before ]]; then kind=words offers=$options; fi"]
    return "\n".join([*lines, "    fi", ""])


def _set(kind: Takes, words: tuple[str, ...]) -> str:
    return f"kind={kind.value} offers='{' '.join(words)}'"

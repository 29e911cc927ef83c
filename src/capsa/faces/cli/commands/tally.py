"""What a put tells of each file and of all of them, and the exit code that follows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from capsa.client.puts.jobs import Preview, Stored
from capsa.client.puts.walk import Skipped
from capsa.core.caps import format_cap
from capsa.errors import CapsaError
from capsa.faces.cli.exits import Exit, exit_of
from capsa.faces.cli.output import Json, Screen, describe, is_terminal, one_line
from capsa.faces.cli.quantities import count_of, show_size

_SKIPPED: Final[Mapping[str, str]] = {"home": "a home of capsa", "part": "what an unfinished get left"}
"""What is skipped, for people, where its name does not say it."""


class Tally:
    """Tells of files one by one and counts them; keeps none."""

    def __init__(
        self, screen: Screen, later: str, *, many: bool, make_room: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        """`later` says who makes the copies that are missing; `clock` counts seconds, from now on for the sum.

        Of `many` files, the unchanged ones are only counted, and how long it took is told of all: they were on their
        way together.

        `make_room` is called before each line that a terminal shows.
        """
        self._screen = screen
        self._make_room = make_room
        self._shown = is_terminal(sys.stdout)
        self._later = later
        self._many = many
        self._clock = clock
        self._began = clock()
        self._new = 0
        self._new_size = 0
        self._changed = 0
        self._unchanged = 0
        self._failed = 0
        self._skipped = 0
        self._short = 0
        self._durable: int | None = None
        self._wanted = 0
        self._failure = Exit.DONE

    @property
    def exit(self) -> Exit:
        """A failure beats missing copies; the one file that was asked for fails with its own code."""
        if self._failed:
            return self._failure if self._files == 1 else Exit.FAILED
        return Exit.FEWER_COPIES if self._short else Exit.DONE

    def tell(self, stored: Stored, seconds: float) -> None:
        """What became of a file, `seconds` after it was begun."""
        if stored.error is not None:
            self._fail(stored.key, stored.error)
            return
        assert stored.cap is not None
        if self._screen.json:
            self._document(
                {
                    "key": stored.key,
                    "cap": format_cap(stored.cap),
                    "size": stored.size,
                    "blocks": stored.blocks,
                    "new_bytes": stored.new_bytes,
                    "unchanged": stored.unchanged,
                    "copies": {"durable": stored.durable, "wanted": stored.wanted},
                    "seconds": seconds,
                }
            )
        self._new += not stored.unchanged
        self._new_size += 0 if stored.unchanged else stored.size
        self._unchanged += stored.unchanged
        self._short += stored.durable < stored.wanted
        self._durable = stored.durable if self._durable is None else min(self._durable, stored.durable)
        self._wanted = max(self._wanted, stored.wanted)
        if not (stored.unchanged and self._many):
            what = "unchanged" if stored.unchanged else show_size(stored.size)
            if not (stored.unchanged or self._many):
                what += f" in {seconds:.1f} s"
            copies = _copies(stored.durable, stored.wanted, "" if self._many else self._later)
            self._say(f"{one_line(stored.key)}: {what}, {copies}")

    def foretell(self, preview: Preview) -> None:
        """What would become of a file."""
        if preview.error is not None:
            self._fail(preview.key, preview.error)
            return
        self._document({"key": preview.key, "size": preview.size, "what": preview.what})
        self._new += preview.what == "new"
        self._changed += preview.what == "changed"
        self._unchanged += preview.what == "unchanged"
        if not (preview.what == "unchanged" and self._many):
            self._say(f"{one_line(preview.key)}: {preview.what}, {show_size(preview.size)}")

    def skip(self, skipped: Skipped) -> None:
        """Something is passed over."""
        self._document({"key": skipped.key, "skipped": skipped.what})
        self._make_room()
        self._screen.note(f"{one_line(skipped.key)}: skipped, {_SKIPPED.get(skipped.what, f'a {skipped.what}')}")
        self._skipped += 1

    def sum_up(self) -> None:
        """All of them in a line, of many files."""
        if not self._many:
            return
        counts = [
            (self._new, "new"),
            (self._changed, "changed"),
            (self._failed, "failed"),
            (self._unchanged, "unchanged"),
            (self._skipped, "skipped"),
        ]
        told = ", ".join(f"{number:,} {what}" for number, what in counts if number)
        new = f"{show_size(self._new_size)} in {self._clock() - self._began:.1f} s, " if self._new else ""
        copies = "" if self._durable is None else f"; {new}{_copies(self._durable, self._wanted, self._later)}"
        self._say(f"{count_of(self._files, 'file')}{': ' if told else ''}{told}{copies}")

    @property
    def _files(self) -> int:
        return self._new + self._changed + self._unchanged + self._failed

    def _fail(self, key: str, error: CapsaError) -> None:
        self._failed += 1
        self._failure = exit_of(error)
        self._make_room()
        self._screen.complain(error, about="" if key in error.message else f"{one_line(key)}:")
        self._document({"key": key, "error": describe(error)})

    def _document(self, value: Json) -> None:
        if self._shown:
            self._make_room()
        self._screen.document(value)

    def _say(self, text: str) -> None:
        if self._shown:
            self._make_room()
        self._screen.say(text)


def _copies(durable: int, wanted: int, later: str) -> str:
    if durable < wanted:
        return f"{durable} of {wanted} copies{'; ' if later else ''}{later}"
    return count_of(durable, "copy", "copies")

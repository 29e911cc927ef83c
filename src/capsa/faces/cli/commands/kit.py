"""`kit`: a page to print, with which a person brings everything back after the loss of the machine."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from capsa.client.phrases import phrase_of
from capsa.core.cards import ContactCard, format_card
from capsa.core.ids import format_id
from capsa.core.kit import Kit, format_kit, shorten_card
from capsa.errors import RefusedError, from_os_error
from capsa.faces.cli.commands.inviting import contact_card
from capsa.faces.cli.commands.kitpage import kit_page
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.keys.passphrases import Reveal, reveal_of
from capsa.faces.cli.output import Screen, is_terminal
from capsa.faces.cli.quantities import rfc3339
from capsa.faces.cli.running import run
from capsa.faces.cli.start import at_home

if TYPE_CHECKING:
    import segno

_STDOUT: Final = "-"
_TEXT: Final = "text"
_HTML: Final = "html"
_PAGES: Final = {".html", ".htm"}
_ERROR_LEVEL: Final = "l"
"""A sheet of paper that is kept loses little, and a picture of fewer dots is read more surely."""
_TEXT_CODE_MAX: Final = 666
"""Characters in a code of version 14, the largest (73 dots and a margin) that 80 columns hold: ISO/IEC 18004."""
_PAGE_CODE_MAX: Final = 1249
"""Characters in a code of version 20: dots of 0.65 mm on a printed page."""
_TEXT_MARGIN: Final = 2
_HALVES: Final = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def kit(options: Namespace, screen: Screen) -> int:
    """Write the kit, or show it."""
    path = None if options.output in (None, _STDOUT) else Path(options.output)
    form = options.format or (_HTML if path is not None and path.suffix.lower() in _PAGES else _TEXT)
    if path is not None:
        _check_place(path)
    made = run(_gather(home_root(options), reveal_of(options), screen))
    if path is None:
        _show(made, form, screen)
    else:
        _write(path, _rendered(made, form))
        screen.document({"path": str(path.absolute()), "format": form})
        screen.say(f"{path}: print it, keep the paper safe, and delete the file. Whoever has it can read all you keep.")
    return Exit.DONE


async def _gather(root: Path, reveal: Reveal, screen: Screen) -> Kit:
    async with at_home(root) as context:
        entropy = await reveal(context.home, context.link)
        card = await contact_card(context, screen)
        return Kit(
            owner=context.home.owner,
            name=context.home.name,
            network=card.founding.name,
            made=rfc3339(context.clock.now()).partition("T")[0],
            words=tuple(phrase_of(entropy).split()),
            card=card,
        )


def _show(made: Kit, form: str, screen: Screen) -> None:
    if is_terminal(sys.stdout):
        screen.note("This shows secrets: whoever reads it can read all your files. -o writes them to a file instead.")
    screen.document(
        {
            "format": form,
            "owner": format_id(made.owner),
            "network": format_id(made.card.network),
            "phrase": " ".join(made.words),
            "card": format_card(made.card),
        }
    )
    screen.result(_rendered(made, form).rstrip("\n"))


def _rendered(made: Kit, form: str) -> str:
    if form == _HTML:
        drawing = _code(made.card, _PAGE_CODE_MAX).svg_inline(border=4, omitsize=True, dark="#000", light="#fff")
        return kit_page(made, drawing)
    return format_kit(made, _blocks(_code(made.card, _TEXT_CODE_MAX)))


def _code(card: ContactCard, length_max: int) -> segno.QRCode:
    """The card as a QR code: upper case, which takes less room and which readers of cards forgive."""
    import segno

    text = format_card(shorten_card(card, length_max)).upper()
    return segno.make_qr(text, error=_ERROR_LEVEL, mode="alphanumeric", boost_error=False)


def _blocks(code: segno.QRCode) -> str:
    """A code in half blocks, to be printed dark on light."""
    rows = [list(row) for row in code.matrix_iter(border=_TEXT_MARGIN)]
    rows.append([0] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=False)
    return "\n".join(
        "".join(_HALVES[bool(one), bool(other)] for one, other in zip(upper, lower, strict=True)).rstrip()
        for upper, lower in pairs
    )


def _check_place(path: Path) -> None:
    """Raise before anybody is asked for a passphrase, if nothing can be written there anyway."""
    if path.exists() or path.is_symlink():
        raise RefusedError(f"{path} is there already.", "Name a file that is not, or delete it first.")


def _write(path: Path, text: str) -> None:
    """Write a new file that only its owner may read, whole or not at all, and in no case over another."""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # unlike a rename, it fails if something came there meanwhile
        finally:
            Path(draft).unlink()
    except FileExistsError:
        raise RefusedError(f"{path} is there already.", "Name a file that is not, or delete it first.") from None
    except OSError as error:
        raise from_os_error(error, f"{path} cannot be written", "Choose another place with -o.") from None

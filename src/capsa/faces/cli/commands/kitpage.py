"""The recovery kit as one HTML page: without scripts, links or pictures from elsewhere, made to be printed."""

from __future__ import annotations

from html import escape
from typing import Final

from capsa.core.cards import format_card
from capsa.core.kit import AFTERWORD, LOST, Kit

_STYLE: Final = """
@page { margin: 14mm 16mm; }
* { box-sizing: border-box; }
html { background: #fff; color: #111; }
body { font: 10pt/1.35 Georgia, "Times New Roman", serif; max-width: 178mm; margin: 0 auto; padding: 1em; }
h1 { font-size: 18pt; margin: 0 0 .2em; }
h2 { font-size: 11.5pt; margin: .9em 0 .35em; border-bottom: 1px solid #999; }
p { margin: .4em 0; }
code, .words, .facts td { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.facts th { text-align: left; font-weight: normal; padding-right: 1.5em; vertical-align: top; }
.facts td { font-size: 8.5pt; overflow-wrap: anywhere; }
.words { width: 100%; border-collapse: collapse; font-size: 11pt; break-inside: avoid; }
.words td { border: 1px solid #bbb; padding: .15em .6em; width: 25%; }
.words small { display: inline-block; width: 1.8em; color: #666; }
.card { display: grid; grid-template-columns: 68mm 1fr; gap: 6mm; break-inside: avoid; align-items: start; }
.card svg { width: 68mm; height: 68mm; }
.card code { font-size: 6.5pt; line-height: 1.3; word-break: break-all; }
ul { margin: .3em 0; padding-left: 1.2em; }
li { break-inside: avoid; }
li code { display: block; margin: 0 0 .1em 1em; }
@media print { body { max-width: none; padding: 0; } }
@media (max-width: 40em) { .card { grid-template-columns: 1fr; } }
"""
_COLUMNS: Final = 4


def kit_page(kit: Kit, code: str) -> str:
    """The page; `code` is a picture of the card as an `svg` element."""
    facts = "".join(
        f"<tr><th>{noun}</th><td>{escape(' '.join(filter(None, fact)))}</td></tr>" for noun, *fact in kit.facts
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>capsa recovery kit</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>capsa recovery kit</h1>
<p>{escape(kit.introduction)}</p>
<table class="facts">{facts}</table>
<h2>The recovery phrase</h2>
<table class="words">{_rows(kit.words)}</table>
<h2>The contact card</h2>
<div class="card">
{code}
<div><p>In letters; the picture says the same, with fewer addresses:</p>
<p><code>{format_card(kit.card)}</code></p></div>
</div>
<h2>When the machine is lost</h2>
<ul>{_steps()}</ul>
<p>{escape(AFTERWORD)}</p>
</body>
</html>
"""


def _rows(words: tuple[str, ...]) -> str:
    cells = [f"<td><small>{number}</small> {word}</td>" for number, word in enumerate(words, 1)]
    rows = (cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS))
    return "".join(f"<tr>{''.join(row)}</tr>" for row in rows)


def _steps() -> str:
    items: list[str] = []
    for what, command in LOST:
        shown = f"<code>{escape(command)}</code>" if command else ""
        if what:
            items.append(f"{escape(what)} {shown}")
        else:
            items[-1] += shown
    return "".join(f"<li>{item}</li>" for item in items)

"""The architecture as failing tests: what the layers of import-linter cannot say. Reasons stand in the messages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "capsa"
MODULES = sorted(SOURCE.rglob("*.py"))
CORE = sorted((SOURCE / "core").rglob("*.py"))

IMPURE = {"asyncio", "socket", "os", "pathlib", "sqlite3", "time", "random", "secrets", "logging"}
CONCRETE = {
    "capsa.net.transports",
    "capsa.stores.disk.SystemDisk",
    "capsa.stores.index",
    "capsa.stores.memory",
    "capsa.stores.quota",
    "capsa.stores.segments",
    "capsa.stores.verify",
}
NAMELESS_ROOMS = {"utils", "helpers", "common", "interfaces"}
LINES_MAX = 400


def _imports(tree: ast.AST) -> Iterator[str]:
    """The full names of the modules that a tree imports; for `from a import b` both `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _offences(tree: ast.AST, forbidden: set[str]) -> set[str]:
    """Those of `forbidden` that a tree imports, or imports something of."""
    return {name for name in forbidden for found in _imports(tree) if found == name or found.startswith(f"{name}.")}


def _async_defs(tree: ast.AST) -> list[str]:
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]


def _may_name_concrete(module: Path) -> bool:
    """The composition root, the command line's start-up, `testing`, and the rooms of the things themselves."""
    place = module.relative_to(SOURCE)
    return place.parts[0] in {"stores", "net", "testing"} or place.as_posix() == "node/app.py" or "cli" in place.parts


def _where(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("module", CORE, ids=_where)
def test_core_is_pure(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    assert not _offences(tree, IMPURE), "core/ takes bytes, values, `now` and entropy as arguments: it must not do I/O"
    assert not _async_defs(tree), "core/ decides synchronously; whoever carries the decision out may be async"


@pytest.mark.parametrize("module", [m for m in MODULES if not _may_name_concrete(m)], ids=_where)
def test_only_the_composition_root_names_concrete_stores_and_transports(module: Path) -> None:
    offences = _offences(ast.parse(module.read_text("utf-8")), CONCRETE)
    assert not offences, "take a BlockStore, Disk or Transport as an argument: only node/app.py and the CLI choose one"


def test_a_thing_lives_where_its_noun_lives() -> None:
    nameless = [_where(m) for m in MODULES if NAMELESS_ROOMS & {part.removesuffix(".py") for part in m.parts}]
    assert not nameless, "name the module after what lives in it: a room for everything ends up holding everything"


@pytest.mark.parametrize("module", MODULES, ids=_where)
def test_a_module_has_one_reason_to_change(module: Path) -> None:
    lines = len(module.read_text("utf-8").splitlines())
    assert lines <= LINES_MAX, f"{lines} lines: split it by noun; the rot is in the few modules that grow without end"


@pytest.mark.parametrize(
    "source",
    ["import os", "import os.path", "from os import path", "def f():\n    import asyncio", "from asyncio import sleep"],
)
def test_an_impure_import_is_seen_in_any_form(source: str) -> None:
    assert _offences(ast.parse(source), IMPURE)


def test_an_async_def_is_seen_inside_a_class() -> None:
    assert _async_defs(ast.parse("class A:\n    async def f(self): ..."))

"""The frozen form of catalog pages, and of the tree that an insertion makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capsa.core.catalog.entries import Dot, Entry, RemovalEntry, VersionEntry
from capsa.core.catalog.pages import Child, Inner, Leaf, Page, PageRef, parse_page, seal_page
from capsa.core.ids import BlockId, ClaimId, NodeId
from capsa.core.keys import Label
from capsa.core.pages import Kind
from capsa.core.sealing import unseal
from capsa.errors import FormatError
from tests.core.catalog.samples import Shelf

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "catalog.json").read_text("utf-8"))


def a_dot(fields: list[Any]) -> Dot:
    return Dot(NodeId(bytes.fromhex(fields[0])), fields[1], fields[2])


def an_entry(fields: dict[str, Any]) -> Entry:
    key, dot, lamport = fields["key"], a_dot(fields["dot"]), fields["lamport"]
    if "removes" in fields:
        return RemovalEntry(key, dot, lamport, tuple(a_dot(removed) for removed in fields["removes"]))
    return VersionEntry(
        key=key,
        dot=dot,
        lamport=lamport,
        kind=Kind(fields["kind"]),
        size=fields["size"],
        media_type=fields["media_type"],
        mtime_ns=fields["mtime_ns"],
        root=BlockId(bytes.fromhex(fields["root"])),
        root_key=bytes.fromhex(fields["root_key"]),
        claim=ClaimId(bytes.fromhex(fields["claim"])),
        digest=bytes.fromhex(fields["digest"]),
        blocks=fields["blocks"],
        copies=fields["copies"],
        retain_until=fields["retain_until"],
    )


def a_child(fields: dict[str, Any]) -> Child:
    ids = {name: bytes.fromhex(fields[name]) for name in ("id", "page_key", "claim")}
    page = PageRef(BlockId(ids["id"]), ids["page_key"], ClaimId(ids["claim"]))
    return Child(fields["key"], a_dot(fields["dot"]), page, fields["entries"])


def a_page(fields: dict[str, Any]) -> Page:
    if "entries" in fields:
        return Leaf(tuple(an_entry(entry) for entry in fields["entries"]))
    return Inner(fields["height"], tuple(a_child(child) for child in fields["children"]))


@pytest.mark.parametrize("name", ["leaf", "inner"])
def test_pages(name: str) -> None:
    vector = VECTORS[name]
    page = a_page(vector)
    child, new = seal_page(page, bytes.fromhex(VECTORS["secret"]), ClaimId(bytes.fromhex(vector["claim"])))
    assert new.block.hex() == vector["block"]
    assert new.id.hex() == child.page.id.hex() == vector["id"]
    assert child.page.key.hex() == vector["key"]
    padded = unseal(child.page.key, Label.SEAL_CATALOG_PAGE, new.block)
    assert padded.hex() == vector["plaintext"]
    assert parse_page(padded) == page


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_refused_pages(vector: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        parse_page(bytes.fromhex(vector["plaintext"]))


def test_tree() -> None:
    vector, shelf = VECTORS["tree"], Shelf()
    first = shelf.insert(None, [an_entry(fields) for fields in vector["entries"]], vector["page_size_max"])
    assert [page.id.hex() for page in first.pages] == vector["pages"]
    then = shelf.insert(first.root, [an_entry(vector["then"])], vector["page_size_max"])
    assert [page.id.hex() for page in then.pages] == vector["then_pages"]
    assert [page.id.hex() for page in then.replaced] == vector["then_replaced"]

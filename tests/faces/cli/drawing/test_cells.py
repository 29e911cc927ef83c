from __future__ import annotations

import pytest

from capsa.faces.cli.drawing.cells import cells, cut, left, right


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("abc", 3), ("é", 1), ("e\u0301", 1), ("日本", 4), ("🎬", 2), ("ﾊﾝ", 2), ("a\u200bb", 2), ("❤\ufe0f", 2)],
)
def test_text_takes_so_many_cells(text: str, width: int) -> None:
    assert cells(text) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("abc", -1, ""),
    ],
)
def test_what_does_not_fit_is_cut(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert cells(cut(text, width)) <= max(width, 0)


def test_text_is_filled_by_cells_and_not_by_characters() -> None:
    assert left("日本", 6) + "|" == "日本  |"
    assert right("日本", 6) + "|" == "  日本|"
    assert left("日本語", 4) + "|" == "日… |"

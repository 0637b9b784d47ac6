"""plot: a picture of lines."""

from pathlib import Path

import pytest

from gateway.cli.plot import lines

SERIES = {"one": [(1.0, 0.2), (2.0, 0.4)], "other": [(1.0, 0.3), (2.0, 0.3)]}


def test_the_suffix_is_the_format_and_the_names_are_in_the_picture(tmp_path: Path) -> None:
    lines(tmp_path / "a.png", SERIES, "k", "nDCG@k", "A title")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    lines(tmp_path / "a.svg", SERIES, "k", "nDCG@k", "A title")
    drawn = (tmp_path / "a.svg").read_text()
    assert all(f"<!-- {words} -->" in drawn for words in ("one", "other", "k", "nDCG@k", "A title"))


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not supported"):
        lines(tmp_path / "a.docx", SERIES, "k", "y", "t")
    with pytest.raises(OSError, match="No such file"):
        lines(tmp_path / "no" / "a.png", SERIES, "k", "y", "t")

"""index: from a folder of pages to an answer to a question."""

import os
import pty
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.gateway.cli.conftest import Tollgate


def test_what_is_built_can_be_searched_and_counted(tollgate: Tollgate, config: Path) -> None:
    (built,) = tollgate("index", "build", "--config", config, "--json").json
    assert (built["collection"], built["documents"], built["left_out"]) == ("docs", 2, 0)
    found = tollgate("index", "search", "docs", "Why do boats not sink?", "--config", config, "--json").json
    assert found[0]["document"] == "ships.md"
    assert found[0]["score"] > found[1]["score"]
    assert [row["shown"] for row in found] == [True, False]
    assert tollgate("index", "stats", "--config", config, "--json").json == [built]


def test_a_second_build_changes_nothing(tollgate: Tollgate, config: Path) -> None:
    (first,) = tollgate("index", "build", "docs", "--config", config, "--json").json
    again = tollgate("index", "build", "docs", "--config", config, "--json")
    assert again.json == [first]
    assert "unchanged" in again.err


def test_what_cannot_be_done_is_told(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    unbuilt = tollgate("index", "search", "docs", "x", "--config", config)
    assert (unbuilt.code, "index build" in unbuilt.err) == (1, True)
    unknown = tollgate("index", "build", "absent", "--config", config)
    assert (unknown.code, "known: docs" in unknown.err) == (1, True)
    for page in (tmp_path / "pages").iterdir():
        page.unlink()
    empty = tollgate("index", "build", "--config", config)
    assert (empty.code, "nothing to index" in empty.err) == (1, True)


def test_what_is_added_and_removed_by_hand_stays_so(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    tollgate("index", "build", "--config", config)
    (tmp_path / "whales.md").write_text("# Whales\n\nA whale breathes air.\n")
    added = tollgate("index", "add", "docs", tmp_path / "whales.md", "--access", "sea", "--config", config, "--json")
    assert added.json[0]["documents"] == 3
    search = ("index", "search", "docs", "Do whales breathe?", "--config", config, "--json")
    assert "added/whales.md" not in [row["document"] for row in tollgate(*search).json]
    assert tollgate(*search, "--access", "sea").json[0]["document"] == "added/whales.md"
    tollgate("index", "remove", "docs", "cats.md", "--config", config)
    (built,) = tollgate("index", "build", "--config", config, "--json").json
    assert built["documents"] == 2
    assert (tmp_path / "pages" / "cats.md").exists()


def test_the_version_before_is_served_again(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    (first,) = tollgate("index", "build", "--config", config, "--json").json
    nothing = tollgate("index", "rollback", "docs", "--config", config)
    assert nothing.code == 1
    (tmp_path / "pages" / "dogs.md").write_text("# Dogs\n\nA dog barks at strangers.\n")
    (second,) = tollgate("index", "build", "--config", config, "--json").json
    assert tollgate("index", "rollback", "docs", "--config", config, "--json").json == [first]
    assert tollgate("index", "rollback", "docs", "--config", config, "--json").json == [second]


def test_what_is_left_out_is_told_and_fails_only_a_strict_build(
    tollgate: Tollgate, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "pages" / "broken.pdf").write_text("%PDF-1.7 broken")
    loose = tollgate("index", "build", "--config", config, "--json")
    assert (loose.json[0]["left_out"], loose.code) == (1, 0)
    assert "left out broken.pdf: is encrypted or no valid PDF" in loose.err
    strict = tollgate("index", "build", "--strict", "--config", config)
    assert (strict.code, "1 left out, as told above: broken.pdf" in strict.err) == (1, True)
    added = tollgate("index", "add", "docs", tmp_path / "pages" / "broken.pdf", "--config", config)
    assert added.code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["add", "docs", "absent.md"], 1, "no file of a known format"),
        (["add", "docs", "pages/cats.md", "--metadata", "novalue"], 2, "is not key=value"),
        (["remove", "docs", "absent"], 1, "no document 'absent'"),
        (["rollback", "absent"], 1, "known: docs"),
        (["build", "--engine", "other"], 2, "other"),
    ],
)
def test_what_cannot_be_done_by_hand_is_told(
    tollgate: Tollgate, config: Path, arguments: list[str], code: int, said: str
) -> None:
    tollgate("index", "build", "--config", config)
    refused = tollgate("index", *arguments, "--config", config)
    assert (refused.code, said in refused.err) == (code, True), refused.err


def test_rules_of_the_settings_narrow_and_an_idle_one_is_told(tollgate: Tollgate, config: Path) -> None:
    rules = (
        '[[retrieve.docs.rules]]\nmatch = "cats.*"\naccess = ["pets"]\n[[retrieve.docs.rules]]\nmatch = "absent/**"\n'
    )
    config.write_text(config.read_text() + rules)
    built = tollgate("index", "build", "--config", config)
    assert "the rule 'absent/**' matches no file" in built.err
    found = tollgate("index", "search", "docs", "When does a cat purr?", "--config", config, "--json").json
    assert [row["document"] for row in found] == ["ships.md"]


def test_on_a_terminal_there_is_a_bar(tollgate: Tollgate, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with ThreadPoolExecutor(1) as reader, os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patched:
        shown = reader.submit(read_all, ours)
        patched.setattr(sys, "stderr", terminal)
        assert tollgate("index", "build", "--config", config).code == 0
    os.close(ours)
    assert "docs: parse" in shown.result()
    assert "2/2" in shown.result()


def read_all(terminal: int) -> str:
    shown = b""
    with suppress(OSError):  # the terminal's end, on Linux
        while piece := os.read(terminal, 4096):
            shown += piece
    return shown.decode()

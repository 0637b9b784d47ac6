"""index: from a folder of pages to an answer to a question."""

from pathlib import Path

from tests.gateway.cli.conftest import Tollgate


def test_what_is_built_can_be_searched_and_counted(tollgate: Tollgate, config: Path) -> None:
    (built,) = tollgate("index", "build", "--config", config, "--json").json
    assert (built["collection"], built["documents"], built["left_out"]) == ("docs", 2, 0)
    found = tollgate("index", "search", "docs", "Why do boats not sink?", "--config", config, "--json").json
    assert found[0]["document"] == "ships.md"
    assert found[0]["score"] > found[1]["score"]
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

"""tokens: counts with the model's own files, and what they would cost."""

from pathlib import Path

from tokenizers import Tokenizer

from tests.gateway.cli.conftest import ROOT, Tollgate

TEXT = "The KV cache keeps the keys and values of earlier tokens: naïve 日本語 👩‍👧.\n"


def test_the_count_is_the_models_own_and_has_a_price(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT)
    expected = len(Tokenizer.from_file(str(ROOT / "serving/tiny/model/tokenizer.json")).encode(TEXT).ids)
    (row,) = tollgate("tokens", tmp_path / "text", "--config", config, "--json").json
    assert (row["model"], row["tokens"], row["source"]) == ("small", expected, "exact")
    assert row["cost_usd"] == expected * 2.0 / 1e6


def test_without_files_and_server_it_says_that_it_guesses(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT)
    config.write_text("\n".join(line for line in config.read_text().splitlines() if "tokenizer" not in line))
    (row,) = tollgate("tokens", tmp_path / "text", "--model", "small", "--config", config, "--json").json
    assert row["source"] == "estimate"


def test_the_server_is_asked_where_there_are_no_files(
    tollgate: Tollgate, config: Path, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "text").write_text(TEXT)
    (exact,) = tollgate("tokens", tmp_path / "text", "--config", config, "--json").json
    kept = [line for line in config.read_text().splitlines() if "tokenizer" not in line]
    config.write_text("\n".join(kept).replace("http://127.0.0.1:1", engine))
    (asked,) = tollgate("tokens", tmp_path / "text", "--config", config, "--json").json
    assert asked == exact


def test_what_cannot_be_read_is_named(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for file in ("absent", "binary"):
        ran = tollgate("tokens", tmp_path / file, "--config", config)
        assert (ran.code, file in ran.err) == (1, True)
    assert tollgate("tokens", tmp_path / "absent", "--model", "nope", "--config", config).code == 1

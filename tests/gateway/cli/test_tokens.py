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


def test_texts_are_compared_with_the_first_on_every_tokenizer(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    (tmp_path / "verbose").write_text("Please be so kind as to tell me, if you possibly can, how many days a week has.")
    (tmp_path / "compact").write_text("How many days has a week?")
    tiny = ROOT / "serving/tiny/model"
    files = (tmp_path / "verbose", tmp_path / "compact")
    rows = tollgate("tokens", *files, "--tokenizer", tiny, "--config", config, "--json").json
    assert [row["model"] for row in rows] == ["small", "small", str(tiny), str(tiny)]
    assert [row["tokens"] for row in rows[:2]] == [row["tokens"] for row in rows[2:]]
    assert [row["of_first"] for row in rows] == [1.0, round(rows[1]["tokens"] / rows[0]["tokens"], 4)] * 2
    assert rows[1]["of_first"] < 0.5
    assert rows[2]["cost_usd"] is None
    absent = tollgate("tokens", *files, "--tokenizer", tmp_path / "absent", "--config", config)
    assert (absent.code, "absent" in absent.err) == (1, True)

"""sample: one prompt many times, on the real engine."""

from pathlib import Path

import pytest

from tests.gateway.cli.conftest import Tollgate


@pytest.fixture
def asking(config: Path, engine: str) -> Path:
    config.write_text(config.read_text().replace("http://127.0.0.1:1", engine))
    return config


def prompts(folder: Path) -> list[Path]:
    texts = {"factual": "How many days has a week?", "creative": "Write a line about the sea."}
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return [folder / f"{name}.txt" for name in texts]


def test_greedy_answers_are_the_same_and_hot_ones_are_not(tollgate: Tollgate, asking: Path, tmp_path: Path) -> None:
    heat = ("--temperature", 0, "--temperature", 2, "--times", 4, "--max-tokens", 12)
    drawn = tmp_path / "alike.png"
    rows = tollgate("sample", *prompts(tmp_path), *heat, "--plot", drawn, "--config", asking, "--json", "--texts").json
    assert [(row["prompt"], row["temperature"]) for row in rows] == [
        ("factual", 0.0), ("factual", 2.0), ("creative", 0.0), ("creative", 2.0)
    ]  # fmt: skip
    for cold, hot in (rows[:2], rows[2:]):
        assert (cold["jaccard"], cold["distinct"], cold["consistency"]) == (1.0, 1, 1.0)
        assert cold["cosine"] == pytest.approx(1.0, abs=1e-4)
        assert hot["distinct"] > 1
        assert hot["jaccard"] < 1 > hot["cosine"]
        assert all(row["times"] == 4 == len(row["texts"]) and row["cost_usd"] > 0 for row in (cold, hot))
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_the_same_seeds_give_the_same_answers(tollgate: Tollgate, asking: Path, tmp_path: Path) -> None:
    once = ("sample", prompts(tmp_path)[0], "--temperature", 1.5, "--times", 2, "--max-tokens", 8, "--json", "--texts")
    first, again, other = (tollgate(*once, "--seed", seed, "--config", asking).json[0]["texts"] for seed in (5, 5, 50))
    assert first == again != other


def test_for_people_there_is_a_bar_and_no_text(tollgate: Tollgate, asking: Path, tmp_path: Path) -> None:
    few = ("--temperature", 0, "--times", 2, "--max-tokens", 4)
    ran = tollgate("sample", prompts(tmp_path)[0], *few, "--config", asking)
    assert "#" * 20 in ran.out
    assert "texts" not in ran.out


def test_what_cannot_be_asked_or_read_is_said(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    silent = tollgate("sample", *prompts(tmp_path), "--times", 1, "--config", config)
    assert (silent.code, "does not answer" in silent.err) == (1, True)
    assert "no model 'nope'" in tollgate("sample", *prompts(tmp_path), "--model", "nope", "--config", config).err
    assert "cannot be read" in tollgate("sample", tmp_path / "absent", "--config", config).err
    assert tollgate("sample", *prompts(tmp_path), "--temperature", 3, "--config", config).code == 2

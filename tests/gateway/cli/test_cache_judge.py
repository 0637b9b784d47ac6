"""cache judge and calibrate: verdicts of a file of pairs, and what every setting would have served."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.state import Observation
from gateway.state.open import open_state
from tests.gateway.cli.conftest import Tollgate

PAIRS = [
    {"a": "How do I reset my password?", "b": "how do i reset my password", "dup": 1},
    {"a": "How can I renew my French passport?", "b": "How can I renew my German passport?", "dup": 0},
    {"a": "How do I reset my password?", "b": "word " * 400, "dup": 0},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    return path


def observe(config: Path, *observations: Observation) -> None:
    async def observed() -> None:
        state = await open_state(f"sqlite:///{config.parent}/state.db")
        for observation in observations:
            await state.feedback.observe(observation)
        await state.close()

    asyncio.run(observed())


def seen(pool: str, probability: float, right: bool = True) -> Observation:
    return Observation(pool, "key", 0.97, probability, right, 0.0)


def by_rate(rows: Any) -> dict[float, Any]:
    return {row["max_error_rate"]: row for row in rows}


def test_every_pair_gets_a_line(tollgate: Tollgate, file: Path) -> None:
    ran = tollgate("cache", "judge", file, "--max-error-rate", "0.01")
    same, other, beyond = map(json.loads, ran.out.splitlines())
    assert ran.code == 0
    assert all(row.keys() == {"similarity", "probability", "hit"} for row in (same, other, beyond))
    assert [row["hit"] for row in (same, other, beyond)] == [True, False, False]
    assert same["probability"] >= 0.99 > other["probability"]
    assert other["similarity"] > 0.6 > beyond["similarity"]


def test_labelled_pairs_are_counted_for_every_setting(tollgate: Tollgate, file: Path) -> None:
    ran = tollgate("cache", "calibrate", file, "--target", "0.05", "--json")
    row = by_rate(ran.json)[0.01]
    assert (row["seen"], row["hits"], row["wrong"], row["low"]) == (3, 1, 0, 0.0)
    assert not any(row["meets_target"] for row in ran.json)  # one hit shows nothing


@pytest.mark.parametrize("line", ["{", "[]", '{"a": "x"}', '{"a": "x", "b": 1}', '"x"'])
def test_a_line_that_is_no_pair_is_named(tollgate: Tollgate, tmp_path: Path, line: str) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(line + "\n")
    ran = tollgate("cache", "judge", file)
    assert ran.code == 1
    assert f"{file}, line 1" in ran.err


def test_a_label_is_needed_to_calibrate(tollgate: Tollgate, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"a": "x", "b": "y"}\n')
    ran = tollgate("cache", "calibrate", file)
    assert ran.code == 1
    assert '"dup"' in ran.err


@pytest.mark.parametrize("options", [("--max-error-rate", "0"), ("--max-error-rate", "1"), ("--kind", "half")])
def test_a_wrong_option_is_wrong_usage(tollgate: Tollgate, file: Path, options: tuple[str, str]) -> None:
    assert tollgate("cache", "judge", file, *options).code == 2


def test_a_file_that_is_not_there(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = tollgate("cache", "judge", tmp_path / "none")
    assert ran.code == 1
    assert "No such file" in ran.err


def test_what_was_observed_shows_the_setting_that_meets_the_target(tollgate: Tollgate, config: Path) -> None:
    observe(config, *[seen("faq", 0.992, right=n % 100 != 50) for n in range(200)])
    found = by_rate(tollgate("cache", "calibrate", "--target", "0.05", "--config", config, "--json").json)
    assert found[0.01]["pool"] == "faq"
    assert (found[0.05]["hits"], found[0.05]["wrong"]) == (200, 2)
    assert found[0.05]["low"] < 0.01 < found[0.05]["high"] < 0.05
    assert sum(row["meets_target"] for row in found.values()) == 1


def test_pools_are_told_apart(tollgate: Tollgate, config: Path) -> None:
    observe(config, seen("a", 0.999), seen("b", 0.999))
    every = tollgate("cache", "calibrate", "--config", config, "--json").json
    one = tollgate("cache", "calibrate", "--pool", "b", "--config", config, "--json").json
    assert {row["pool"] for row in every} == {"a", "b"}
    assert {row["pool"] for row in one} == {"b"}


def test_the_shares_stand_as_bars_beside_the_table(tollgate: Tollgate, config: Path) -> None:
    observe(config, *[seen("faq", 0.999, right=n % 2 == 0) for n in range(40)])
    ran = tollgate("cache", "calibrate", "--config", config)
    assert "max_error_rate" in ran.out
    assert "faq: 40 observations show no setting to keep 1.00%" in ran.err
    observe(config, *[seen("good", 0.999, right=n != 7) for n in range(400)])
    assert "█░" in tollgate("cache", "calibrate", "--pool", "good", "--target", "0.05", "--config", config).out


def test_a_picture_is_drawn_of_every_pool(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    observe(config, *[seen(pool, 0.999, right=n != 7) for pool in ("faq", "help") for n in range(400)])
    assert tollgate("cache", "calibrate", "--plot", tmp_path / "hits.png", "--config", config).code == 0
    assert (tmp_path / "hits.png").read_bytes().startswith(b"\x89PNG")
    tollgate("cache", "calibrate", "--plot", tmp_path / "hits.svg", "--config", config)
    drawn = (tmp_path / "hits.svg").read_text()
    assert all(f"<!-- {words} -->" in drawn for words in ("faq", "help, upper limit", "hit rate"))


def test_a_picture_that_cannot_be_drawn_is_told(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    observe(config, seen("faq", 0.999))
    ran = tollgate("cache", "calibrate", "--plot", tmp_path / "no" / "hits.png", "--config", config)
    assert ran.code == 1
    assert "hits.png cannot be drawn: " in ran.err


@pytest.mark.parametrize("source", ["near", "user"])
def test_only_a_fair_sample_is_counted(tollgate: Tollgate, config: Path, source: Literal["near", "user"]) -> None:
    observe(config, seen("faq", 0.999), *[replace(seen("faq", 0.999, right=False), source=source)] * 3)
    row = by_rate(tollgate("cache", "calibrate", "--config", config, "--json").json)[0.01]
    assert (row["seen"], row["wrong"]) == (1, 0)


def test_nothing_observed_says_how_to_observe(tollgate: Tollgate, config: Path) -> None:
    ran = tollgate("cache", "calibrate", "--config", config)
    assert ran.code == 1
    assert "shadow" in ran.err

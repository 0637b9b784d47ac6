"""quality: a table for people, everything for programs."""

from pathlib import Path

import pytest

from serving.events import Usage
from tests.gateway.cli.conftest import Tollgate
from tests.gateway.cli.journal import record, write

ASKED = ("quality", "--since", "2026-09-21", "--until", "2026-09-21")  # of the journal's rows, in UTC


def fill(config: Path) -> None:
    versions = (("v3", 1, 200), ("v4", 30, 170))
    write(
        config,
        *(
            record(f"{version}-{n}", at=1_790_000_000.0 + 1_000 * late + n, prompt_version=version, status=200,
                   checks=("truncated",) if n < cut else (), spent=Usage(9, 100 + n % 50))
            for late, (version, cut, rest) in enumerate(versions)
            for n in range(cut + rest)
        ),
    )  # fmt: skip


def test_the_table_says_that_a_version_is_worse(tollgate: Tollgate, config: Path) -> None:
    fill(config)
    head, v3, v4, _, legend = tollgate(*ASKED, "--by", "prompt,version", "--config", config).out.splitlines()
    assert head.split() == [
        "prompt", "prompt_version", "answers", "truncated", "tokens", "p50", "p95", "drift", "against",
    ]  # fmt: skip
    assert v3.split() == ["answer", "v3", "201", "0.5%", "[0.1,", "2.8]", "124", "124", "152", "-", "-"]
    assert v4.split() == ["answer", "v4", "200", "15.0%", "[10.7,", "20.6]", "↑", "124", "124", "152", "+0%", "v3"]
    assert "p < 0.01" in legend


def test_programs_get_the_same_with_all_figures(tollgate: Tollgate, config: Path) -> None:
    fill(config)
    _, row = tollgate(*ASKED, "--config", config, "--json").json
    assert (row["truncated"]["count"], row["truncated"]["of"], row["truncated"]["change"]) == (30, 200, "more")
    assert row["against"] == {"prompt_version": "v3", "answers": 201}


def test_nothing_judged_is_none(tollgate: Tollgate, config: Path) -> None:
    write(config, record())
    assert tollgate(*ASKED, "--config", config).out == "none\n"


@pytest.mark.parametrize("options", [("--by", "colour"), ("--since", "yesterday"), ("--zone", "Mars")])
def test_wrong_usage_names_the_option(tollgate: Tollgate, config: Path, options: tuple[str, ...]) -> None:
    ran = tollgate("quality", *options, "--config", config)
    assert ran.code == 2
    assert f"Invalid value for {options[0]}" in ran.err

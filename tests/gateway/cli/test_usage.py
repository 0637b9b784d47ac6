"""usage: sums of the journal."""

from pathlib import Path

from tests.gateway.cli.conftest import Tollgate
from tests.gateway.cli.journal import record, write

DAY = "2026-09-21"  # of the journal's rows (1,790,000,000 s), in UTC


def test_it_sums_by_group(tollgate: Tollgate, config: Path) -> None:
    write(config, record("a"), record("b"), record("c", model="large", cost_nano=None))
    rows = tollgate("usage", "--since", DAY, "--until", DAY, "--by", "model", "--config", config, "--json").json
    assert [(r["model"], r["requests"], r["input_tokens"], r["cost_usd"]) for r in rows] == [
        ("large", 1, 200, None),
        ("small", 2, 400, 0.0012),
    ]


def test_the_last_day_is_included_and_the_day_after_is_not(tollgate: Tollgate, config: Path) -> None:
    write(config, record("a"), record("b", at=1_790_000_000.0 + 86400))
    between = ("--since", DAY, "--until", DAY, "--config", config, "--json")
    assert [row["requests"] for row in tollgate("usage", *between).json] == [1]
    assert tollgate("usage", "--since", "2026-09-23", "--until", "2026-09-30", "--config", config, "--json").json == []


def test_one_tenant_alone(tollgate: Tollgate, config: Path) -> None:
    write(config, record("a"), record("b", tenant="other"))
    rows = tollgate(
        "usage", "--tenant", "other", "--by", "day,tenant", "--since", DAY, "--config", config, "--json"
    ).json
    assert [(row["day"], row["tenant"], row["requests"]) for row in rows] == [(DAY, "other", 1)]


def test_an_unknown_group_or_day_is_wrong_usage(tollgate: Tollgate, config: Path) -> None:
    assert tollgate("usage", "--by", "colour", "--config", config).code == 2
    assert tollgate("usage", "--since", "yesterday", "--config", config).code == 2

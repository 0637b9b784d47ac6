"""usage: sums of the journal."""

import csv
from pathlib import Path

import pytest

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


def test_one_tenant_alone_in_its_own_days(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "other", "--zone", "Pacific/Kiritimati", "--config", config)  # 14 hours ahead
    write(config, record("a"), record("b", tenant="other"))
    asked = ("usage", "--tenant", "other", "--by", "day,tenant", "--config", config, "--json", "--since", DAY)
    assert [(row["day"], row["tenant"], row["requests"]) for row in tollgate(*asked).json] == [
        ("2026-09-22", "other", 1)
    ]
    assert [row["day"] for row in tollgate(*asked, "--zone", "UTC").json] == [DAY]
    assert tollgate("usage", "--tenant", "nobody", "--config", config).code == 1


def test_by_tag(tollgate: Tollgate, config: Path) -> None:
    write(config, record("a", tags='{"feature":"search"}'), record("b", tags='{"feature":"chat"}'), record("c"))
    rows = tollgate("usage", "--since", DAY, "--by", "tag:feature", "--config", config, "--json").json
    assert [(row["tag:feature"], row["requests"]) for row in rows] == [(None, 1), ("chat", 1), ("search", 1)]


def test_csv(tollgate: Tollgate, config: Path) -> None:
    write(config, record("a", tags='{"feature":"=1+1"}'), record("b", tags='{"feature":"=1+1"}', cost_nano=None))
    ran = tollgate("usage", "--since", DAY, "--by", "tag:feature", "--config", config, "--csv")
    (row,) = csv.DictReader(ran.out.splitlines())
    assert (row["tag:feature"], row["requests"], row["cost_usd"]) == ("'=1+1", "2", "0.0006")


@pytest.mark.parametrize(
    "options",
    [
        ("--by", "colour"),
        ("--since", "yesterday"),
        ("--zone", "Mars"),
        ("--since", "2026-02-02", "--until", "2026-01-01"),
    ],
)
def test_wrong_usage_names_the_option(tollgate: Tollgate, config: Path, options: tuple[str, ...]) -> None:
    ran = tollgate("usage", *options, "--config", config)
    assert ran.code == 2
    assert f"Invalid value for {options[0]}" in ran.err

"""tenants: what one command writes, another reads."""

from pathlib import Path

import pytest

from tests.gateway.cli.conftest import Tollgate


def test_a_created_tenant_is_listed_with_its_limits(tollgate: Tollgate, config: Path) -> None:
    made = tollgate(
        "tenants", "create", "acme", "--limit", "tokens/day=5", "--limit", "usd/month=1.50", "--config", config
    )
    assert made.code == 0
    (row,) = tollgate("tenants", "list", "--config", config, "--json").json
    assert (row["tenant"], row["limits"]) == ("acme", ["tokens/day=5", "usd/month=1.5"])


def test_a_taken_name_changes_nothing_and_fails(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "acme", "--limit", "tokens/day=5", "--config", config)
    again = tollgate("tenants", "create", "acme", "--limit", "tokens/day=9", "--config", config)
    assert again.code == 1
    assert "already" in again.err
    assert tollgate("tenants", "list", "--config", config, "--json").json[0]["limits"] == ["tokens/day=5"]


def test_show_says_where_the_limits_stand(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "acme", "--limit", "tokens/day=5", "--config", config)
    (row,) = tollgate("tenants", "show", "acme", "--config", config, "--json").json
    assert (row["used"], row["held"], row["remaining"]) == (0, 0, 5)
    assert row["resets"].endswith("T00:00:00+00:00")


def test_a_tenants_days_are_those_of_its_zone(tollgate: Tollgate, config: Path) -> None:
    made = ("tenants", "create", "acme", "--zone", "Asia/Kolkata", "--limit", "usd/month=2", "--config", config)
    assert tollgate(*made, "--json").json[0]["zone"] == "Asia/Kolkata"
    (row,) = tollgate("tenants", "show", "acme", "--config", config, "--json").json
    assert row["resets"].endswith("-01T00:00:00+05:30")
    assert row["remaining"] == 2.0
    ran = tollgate("tenants", "create", "other", "--zone", "Mars", "--config", config)
    assert (ran.code, "Europe/Berlin" in ran.err) == (2, True)


def test_limits_are_replaced(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "acme", "--limit", "tokens/day=5", "--limit", "usd/day=1", "--config", config)
    changed = tollgate("tenants", "limits", "acme", "--limit", "tokens/day=9", "--config", config, "--json").json
    assert changed[0]["limits"] == ["tokens/day=9"]
    assert tollgate("tenants", "list", "--config", config, "--json").json[0]["limits"] == ["tokens/day=9"]
    assert tollgate("tenants", "limits", "acme", "--none", "--config", config, "--json").json[0]["limits"] == []
    assert tollgate("tenants", "limits", "nobody", "--none", "--config", config).code == 1


@pytest.mark.parametrize("options", [(), ("--none", "--limit", "tokens/day=1"), ("--limit", "tokens/week=1")])
def test_limits_are_not_removed_by_accident(tollgate: Tollgate, config: Path, options: tuple[str, ...]) -> None:
    tollgate("tenants", "create", "acme", "--limit", "tokens/day=5", "--config", config)
    assert tollgate("tenants", "limits", "acme", *options, "--config", config).code == 2
    assert tollgate("tenants", "list", "--config", config, "--json").json[0]["limits"] == ["tokens/day=5"]


def test_an_unknown_tenant_is_a_failure(tollgate: Tollgate, config: Path) -> None:
    ran = tollgate("tenants", "show", "nobody", "--config", config)
    assert ran.code == 1
    assert "no tenant 'nobody'" in ran.err


def test_a_wrong_limit_or_name_is_wrong_usage(tollgate: Tollgate, config: Path) -> None:
    ran = tollgate("tenants", "create", "acme", "--limit", "tokens/week=5", "--config", config)
    assert ran.code == 2
    assert "unit/window=amount" in ran.err
    assert tollgate("tenants", "create", "two words", "--config", config).code == 2
    assert tollgate("tenants", "list", "--config", config, "--json").json == []


def test_the_state_option_stands_for_the_settings_in_that_folder(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "acme", "--config", config)
    (row,) = tollgate("tenants", "list", "--state", config.parent, "--json").json
    assert row["tenant"] == "acme"


def test_the_table_for_people_has_aligned_columns(tollgate: Tollgate, config: Path) -> None:
    for name in ("a", "a-longer-name"):
        tollgate("tenants", "create", name, "--config", config)
    head, *rows = tollgate("tenants", "list", "--config", config).out.splitlines()
    assert {row.index("20") for row in rows} == {head.index("created")}


def test_settings_that_cannot_be_read_are_named(tollgate: Tollgate, tmp_path: Path) -> None:
    ran = tollgate("tenants", "list", "--config", tmp_path / "absent.toml")
    assert ran.code == 1
    assert "absent.toml: cannot be read" in ran.err

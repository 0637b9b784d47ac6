"""audit: every change that the command line made, and who made it."""

import os
import pwd
from pathlib import Path

from tests.gateway.cli.conftest import Tollgate

ME = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"


def test_changes_newest_first_with_who_made_them(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "acme", "--limit", "tokens/day=5", "--config", config)
    tollgate("tenants", "limits", "acme", "--limit", "tokens/day=9", "--config", config)
    (made,) = tollgate("keys", "create", "--tenant", "acme", "--label", "search", "--config", config, "--json").json
    (new,) = tollgate("keys", "rotate", made["id"], "--overlap", "1h", "--config", config, "--json").json
    tollgate("keys", "revoke", new["id"], "--config", config)
    tollgate("tenants", "list", "--config", config)
    rows = tollgate("audit", "--config", config, "--json").json
    subjects = [new["id"], made["id"], new["id"], made["id"], "acme", "acme"]
    assert [(row["by"], row["subject"]) for row in rows] == [(ME, subject) for subject in subjects]
    assert [row["detail"]["limits"] for row in rows[-2:]] == [["tokens/day=9"], ["tokens/day=5"]]
    assert rows[3]["detail"]["label"] == "search"
    for secret in (made["key"], new["key"]):
        assert secret.rpartition("_")[2] not in str(rows)


def test_one_subject_and_so_many(tollgate: Tollgate, config: Path) -> None:
    for name in ("a", "b", "c"):
        tollgate("tenants", "create", name, "--config", config)
    assert [row["subject"] for row in tollgate("audit", "--limit", "2", "--config", config, "--json").json] == [
        "c",
        "b",
    ]
    assert [row["subject"] for row in tollgate("audit", "--subject", "a", "--config", config, "--json").json] == ["a"]
    assert tollgate("audit", "--subject", "nobody", "--config", config).out == "none\n"
    assert tollgate("audit", "--limit", "0", "--config", config).code == 2


def test_what_changed_nothing_leaves_no_row(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "acme", "--config", config)
    tollgate("tenants", "create", "acme", "--config", config)
    tollgate("tenants", "limits", "nobody", "--none", "--config", config)
    tollgate("keys", "revoke", "nothing", "--config", config)
    assert len(tollgate("audit", "--config", config, "--json").json) == 1


def test_the_table_for_people_shows_the_details(tollgate: Tollgate, config: Path) -> None:
    tollgate("tenants", "create", "acme", "--limit", "tokens/day=5", "--config", config)
    head, row = tollgate("audit", "--config", config).out.splitlines()
    assert head.split() == ["at", "by", "action", "subject", "detail"]
    assert '"tokens/day=5"' in row

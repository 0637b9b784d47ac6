"""keys: each is shown once, and opens the gateway until it is revoked."""

import asyncio
import time
from pathlib import Path

import pytest

from gateway.api.auth import authenticate
from gateway.errors import Unauthenticated
from gateway.exchange import Caller
from gateway.state import Scopes
from gateway.state.open import open_state
from tests.gateway.cli.conftest import Tollgate


def caller(config: Path, key: str, at: float | None = None) -> Caller:
    """Whom the key stands for, as the gateway sees it, now unless `at` another time."""

    async def asked() -> Caller:
        state = await open_state(f"sqlite:///{config.parent}/state.db")
        try:
            return await authenticate({"authorization": f"Bearer {key}"}, state.keys, at or time.time())
        finally:
            await state.close()

    return asyncio.run(asked())


SCOPES = Scopes(("small", "team/*"), ("support/*",), None, {"feature": "search", "app": "a=b"}, ("hr", "staff"))


@pytest.fixture
def key(tollgate: Tollgate, config: Path) -> dict[str, str]:
    """A key with everything that a key can have, of the tenant acme in Kolkata."""
    tollgate("tenants", "create", "acme", "--zone", "Asia/Kolkata", "--config", config)
    (made,) = tollgate(
        "keys", "create", "--tenant", "acme", "--limit", "requests/minute=3", "--label", "search team",
        "--expires", "2098-12-31", "--model", "small", "--model", "team/*", "--prompt", "support/*",
        "--tag", "feature=search", "--tag", "app=a=b", "--access", "staff", "--access", "hr",
        "--config", config, "--json",
    ).json  # fmt: skip
    return dict(made)


def test_a_created_key_opens_the_gateway(key: dict[str, str], config: Path) -> None:
    who = caller(config, key["key"])
    assert (who.tenant, who.key) == ("acme", key["id"])
    assert ([limit.amount for limit in who.key_limits], who.scopes, who.zone) == ([3], SCOPES, "Asia/Kolkata")


def test_the_list_has_no_secret(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    listed = tollgate("keys", "list", "--tenant", "acme", "--config", config)
    assert key["id"] in listed.out
    assert key["key"].rpartition("_")[2] not in listed.out


def test_a_revoked_key_is_refused(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    assert tollgate("keys", "revoke", key["id"], "--config", config).code == 0
    with pytest.raises(Unauthenticated):
        caller(config, key["key"])


def test_a_rotated_key_hands_everything_over(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    (new,) = tollgate("keys", "rotate", key["id"], "--config", config, "--json").json
    who = caller(config, new["key"])
    assert ([limit.amount for limit in who.key_limits], who.scopes) == ([3], SCOPES)
    with pytest.raises(Unauthenticated):
        caller(config, key["key"])
    ran = tollgate("keys", "rotate", key["id"], "--config", config)
    assert (ran.code, "make a new one" in ran.err) == (1, True)


def test_with_an_overlap_the_old_key_goes_on(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    (new,) = tollgate("keys", "rotate", key["id"], "--overlap", "24h", "--config", config, "--json").json
    assert {caller(config, one["key"], at=time.time() + 86_000).tenant for one in (key, new)} == {"acme"}
    with pytest.raises(Unauthenticated):
        caller(config, key["key"], at=time.time() + 86_500)


def test_the_list_shows_everything(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    (row,) = tollgate("keys", "list", "--tenant", "acme", "--config", config, "--json").json
    assert (row["id"], row["label"], row["limits"]) == (key["id"], "search team", ["requests/minute=3"])
    assert (row["models"], row["prompts"], row["collections"]) == ("small, team/*", "support/*", "all")
    assert (row["tags"], row["revoked"]) == (["feature=search", "app=a=b"], None)
    assert row["expires"] == "2098-12-31T18:30:00Z"  # the end of that day in Kolkata


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--limit", "tokens/week=1"),
        ("--label", "two\nlines"),
        ("--expires", "soon"),
        ("--expires", "2020-01-01"),
        ("--model", "sm*ll"),
        ("--prompt", "two words"),
        ("--collection", ""),
        ("--tag", "feature"),
        ("--tag", "=search"),
        ("--tag", "feature=chat\x1b[2J"),
    ],
)
def test_a_wrong_option_is_wrong_usage(tollgate: Tollgate, config: Path, option: str, value: str) -> None:
    tollgate("tenants", "create", "acme", "--config", config)
    ran = tollgate("keys", "create", "--tenant", "acme", option, value, "--config", config)
    assert (ran.code, option in ran.err) == (2, True)
    assert tollgate("keys", "list", "--tenant", "acme", "--config", config, "--json").json == []


def test_a_tag_is_given_once_and_an_overlap_is_short(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    twice = ("--tag", "feature=search", "--tag", "feature=chat")
    assert tollgate("keys", "create", "--tenant", "acme", *twice, "--config", config).code == 2
    for overlap in ("a day", "91d"):
        assert tollgate("keys", "rotate", key["id"], "--overlap", overlap, "--config", config).code == 2


@pytest.mark.parametrize("command", [("revoke", "nope"), ("rotate", "nope"), ("create", "--tenant", "nobody")])
def test_what_is_not_there_is_a_failure(tollgate: Tollgate, config: Path, command: tuple[str, ...]) -> None:
    ran = tollgate("keys", *command, "--config", config)
    assert ran.code == 1
    assert "there is no" in ran.err

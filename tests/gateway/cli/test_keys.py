"""keys: each is shown once, and opens the gateway until it is revoked."""

import asyncio
from pathlib import Path

import pytest

from gateway.api.auth import authenticate
from gateway.errors import Unauthenticated
from gateway.exchange import Caller
from gateway.state.open import open_state
from tests.gateway.cli.conftest import Tollgate


def caller(config: Path, key: str) -> Caller:
    """Whom the key stands for, as the gateway sees it."""

    async def asked() -> Caller:
        state = await open_state(f"sqlite:///{config.parent}/state.db")
        try:
            return await authenticate({"authorization": f"Bearer {key}"}, state.keys, 2e9)
        finally:
            await state.close()

    return asyncio.run(asked())


@pytest.fixture
def key(tollgate: Tollgate, config: Path) -> dict[str, str]:
    tollgate("tenants", "create", "acme", "--config", config)
    (made,) = tollgate(
        "keys", "create", "--tenant", "acme", "--limit", "requests/minute=3", "--config", config, "--json"
    ).json
    return dict(made)


def test_a_created_key_opens_the_gateway(key: dict[str, str], config: Path) -> None:
    who = caller(config, key["key"])
    assert (who.tenant, who.key) == ("acme", key["id"])
    assert [limit.amount for limit in who.key_limits] == [3]


def test_the_list_has_no_secret(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    listed = tollgate("keys", "list", "--tenant", "acme", "--config", config)
    assert key["id"] in listed.out
    assert key["key"].rpartition("_")[2] not in listed.out


def test_a_revoked_key_is_refused(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    assert tollgate("keys", "revoke", key["id"], "--config", config).code == 0
    with pytest.raises(Unauthenticated):
        caller(config, key["key"])


def test_a_rotated_key_hands_its_limits_over(tollgate: Tollgate, key: dict[str, str], config: Path) -> None:
    (new,) = tollgate("keys", "rotate", key["id"], "--config", config, "--json").json
    assert [limit.amount for limit in caller(config, new["key"]).key_limits] == [3]
    with pytest.raises(Unauthenticated):
        caller(config, key["key"])
    assert tollgate("keys", "rotate", key["id"], "--config", config).code == 1  # it is revoked


@pytest.mark.parametrize("command", [("revoke", "nope"), ("rotate", "nope"), ("create", "--tenant", "nobody")])
def test_what_is_not_there_is_a_failure(tollgate: Tollgate, config: Path, command: tuple[str, ...]) -> None:
    ran = tollgate("keys", *command, "--config", config)
    assert ran.code == 1
    assert "there is no" in ran.err

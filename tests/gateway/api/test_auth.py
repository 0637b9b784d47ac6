"""Keys: found by id, compared by digest, all failures alike. On a real store."""

import asyncio
import hashlib

import pytest

from gateway.api.auth import authenticate, digest, is_admin, mint
from gateway.errors import Unauthenticated
from gateway.exchange import Caller
from gateway.state import Key, Limit, StateUnavailable, Tenant
from gateway.state.open import open_state

LIMIT = Limit("tokens", "day", 100)


async def ask(headers: dict[str, str], *keys: Key, now: float = 100.0) -> Caller:
    state = await open_state("sqlite://:memory:")
    try:
        await state.keys.add_tenant(Tenant("acme", (LIMIT,), 0.0))
        for key in keys:
            await state.keys.add_key(key)
        return await authenticate(headers, state.keys, now)
    finally:
        await state.close()


def key(key_id: str, secret: str, **times: float) -> Key:
    return Key(key_id, "acme", digest(secret), (), 0.0, **times)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_minted_key_is_random_whole_and_kept_as_a_digest() -> None:
    key_id, secret, full = mint()
    assert full == f"tg_{key_id}_{secret}"
    assert len(bytes.fromhex(secret)) * 8 == 256
    assert digest(secret) == hashlib.sha256(secret.encode()).digest()
    assert mint()[1] != secret


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_good_key_is_its_tenants(scheme: str) -> None:
    key_id, secret, full = mint()
    caller = asyncio.run(ask({"authorization": scheme + full}, key(key_id, secret)))
    assert caller == Caller(key_id, "acme", (LIMIT,), ())


def test_anthropics_header_works_too() -> None:
    key_id, secret, full = mint()
    assert asyncio.run(ask({"x-api-key": full}, key(key_id, secret))).key == key_id


def test_every_wrong_key_is_refused_with_the_same_words() -> None:
    key_id, secret, full = mint()
    good = key(key_id, secret)
    revoked, expired = key("r0", secret, revoked=100.0), key("e0", secret, expires=100.0)
    wrong = [
        {}, bearer(""), bearer("tg"), bearer("tg_"), bearer("tg__"), bearer(f"tg_{key_id}"), bearer(f"tg_{key_id}_"),
        bearer(full[:-1]), bearer(full + "0"), bearer(full.upper()), bearer(full.replace("tg_", "sk_", 1)),
        bearer(f"tg_unknown_{secret}"), bearer(f"tg_r0_{secret}"), bearer(f"tg_e0_{secret}"),
        bearer(f"tg_{key_id}_\xff"),
        bearer(f"tg_{key_id}' OR '1'='1_{secret}"), {"authorization": f"Basic {full}"}, {"authorization": full},
        bearer("tg_" + "x" * 100_000),
    ]  # fmt: skip
    messages = set()
    for headers in wrong:
        with pytest.raises(Unauthenticated) as refused:
            asyncio.run(ask(headers, good, revoked, expired))
        messages.add(refused.value.message)
    assert len(messages) == 1
    assert secret not in messages.pop()


def test_no_common_beginning_of_a_secret_is_enough() -> None:
    key_id, secret, _ = mint()
    for n in range(20, len(secret)):
        other = secret[:n] + ("0" if secret[n] != "0" else "1") * (len(secret) - n)
        with pytest.raises(Unauthenticated):
            asyncio.run(ask(bearer(f"tg_{key_id}_{other}"), key(key_id, secret)))


def test_a_key_lives_until_its_last_moment() -> None:
    key_id, secret, full = mint()
    until = key(key_id, secret, expires=100.5, revoked=100.5)
    assert asyncio.run(ask(bearer(full), until)).key == key_id


def test_a_store_that_is_away_admits_nobody() -> None:
    async def closed() -> None:
        state = await open_state("sqlite://:memory:")
        await state.close()
        await authenticate(bearer(mint()[2]), state.keys, 0.0)

    with pytest.raises(StateUnavailable):
        asyncio.run(closed())


def test_the_admin_key() -> None:
    assert is_admin(bearer("s3cret"), "s3cret")
    assert is_admin({"x-api-key": "s3cret"}, "s3cret")
    for headers in ({}, bearer(""), bearer("s3cre"), bearer("s3cret ."), {"authorization": "s3cret"}):
        assert not is_admin(headers, "s3cret")


def test_without_an_admin_key_nobody_is_admin() -> None:
    for configured in (None, ""):
        assert not is_admin(bearer(""), configured)
        assert not is_admin({}, configured)

"""Keys: found by id, compared by digest, all failures alike in words and in work. On a real store."""

import asyncio
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from gateway.api.auth import REFUSED, authenticate, is_admin
from gateway.errors import Unauthenticated
from gateway.exchange import Caller
from gateway.keyring import digest, mint
from gateway.state import Key, Limit, Scopes, StateUnavailable, Tenant
from gateway.state.open import open_state
from gateway.state.recent import RecentKeys
from tests.gateway.api.conftest import Gateway
from tests.gateway.api.logged import lines, listened
from tests.gateway.waiting import waited

LIMIT = Limit("tokens", "day", 100)
SCOPES = Scopes(("small",), None, None, {"feature": "search"})
NOW = 100.0


async def ask(headers: dict[str, str], *keys: Key, now: float = NOW) -> Caller:
    state = await open_state("sqlite://:memory:")
    try:
        await state.keys.add_tenant(Tenant("acme", (LIMIT,), 0.0, "Europe/Berlin"))
        for key in keys:
            await state.keys.add_key(key)
        return await authenticate(headers, state.keys, now)
    finally:
        await state.close()


def key(key_id: str, secret: str, expires: float | None = None, revoked: float | None = None) -> Key:
    return Key(key_id, "acme", digest(secret), (), 0.0, expires, revoked, scopes=SCOPES)


STEPS = {"compare_digest", "SqliteKeys.find", "_as_key", "_as_tenant"}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def other(text: str, place: int) -> str:
    """The same hex text but for one digit."""
    return text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_good_key_is_its_tenants(scheme: str) -> None:
    key_id, secret, full = mint()
    caller = asyncio.run(ask({"authorization": scheme + full}, key(key_id, secret)))
    assert caller == Caller(key_id, "acme", (LIMIT,), (), "Europe/Berlin", SCOPES)


def test_anthropics_header_works_too() -> None:
    key_id, secret, full = mint()
    assert asyncio.run(ask({"x-api-key": full}, key(key_id, secret))).key == key_id


def test_every_wrong_key_is_refused_with_the_same_words() -> None:
    key_id, secret, full = mint()
    revoked_id, expired_id, _ = (mint()[0] for _ in range(3))
    keys = key(key_id, secret), key(revoked_id, secret, revoked=NOW), key(expired_id, secret, expires=NOW)
    wrong = [
        {}, bearer(""), bearer("tg"), bearer("tg_"), bearer("tg__"), bearer(f"tg_{key_id}"), bearer(f"tg_{key_id}_"),
        bearer(full[:-1]), bearer(full + "0"), bearer(full.upper()), bearer(full.replace("tg_", "sk_", 1)),
        bearer(f"tg_{mint()[0]}_{secret}"), bearer(f"tg_{revoked_id}_{secret}"), bearer(f"tg_{expired_id}_{secret}"),
        bearer(f"tg_{key_id}_\xff"), bearer(f"tg_{key_id}_{digest(secret).hex()}"),
        bearer(f"tg_{key_id}' OR '1'='1_{secret}"), {"authorization": f"Basic {full}"}, {"authorization": full},
        bearer("tg_" + "x" * 100_000), bearer(f"tg_{'０' * 16}_{secret}"),
    ]  # fmt: skip
    for headers in wrong:
        with pytest.raises(Unauthenticated) as refused:
            asyncio.run(ask(headers, *keys))
        assert refused.value.message == REFUSED


def test_no_common_beginning_is_enough() -> None:
    """Neither of a secret nor of an id: two keys that share 63 of 64 digits are strangers."""
    key_id, secret, _ = mint()
    for place in range(len(secret)):
        with pytest.raises(Unauthenticated):
            asyncio.run(ask(bearer(f"tg_{key_id}_{other(secret, place)}"), key(key_id, secret)))
    for place in range(len(key_id)):
        near = key(other(key_id, place), other(secret, 63))
        with pytest.raises(Unauthenticated):
            asyncio.run(ask(bearer(f"tg_{near.id}_{secret}"), key(key_id, secret), near))


def test_a_key_lives_until_its_last_moment() -> None:
    key_id, secret, full = mint()
    until = key(key_id, secret, expires=NOW + 0.5, revoked=NOW + 0.5)
    assert asyncio.run(ask(bearer(full), until)).key == key_id


def test_a_store_that_is_away_admits_nobody() -> None:
    async def closed() -> None:
        state = await open_state("sqlite://:memory:")
        await state.close()
        await authenticate(bearer(mint()[2]), state.keys, 0.0)

    with pytest.raises(StateUnavailable):
        asyncio.run(closed())


def test_a_remembered_key_needs_no_store() -> None:
    async def run() -> None:
        state = await open_state("sqlite://:memory:")
        await state.keys.add_tenant(Tenant("acme", (), 0.0))
        key_id, secret, full = mint()
        await state.keys.add_key(key(key_id, secret))
        recent = RecentKeys(state.keys, lambda: 0.0)
        first = await authenticate(bearer(full), state.keys, NOW, recent)
        await state.close()
        assert await authenticate(bearer(full), state.keys, NOW, recent) == first

    asyncio.run(run())


@contextmanager
def calls() -> Iterator[list[str]]:
    """The gateway's own functions that run, in this thread and in those that start, and the comparisons of digests."""
    ran: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_globals.get("__name__", "").startswith("gateway."):
            ran.append(frame.f_code.co_qualname)
        elif event == "c_call" and argument.__name__ == "compare_digest":
            ran.append("compare_digest")

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield ran
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def test_a_refused_key_costs_the_same_work_whether_its_id_is_known_or_not() -> None:
    """As many digests are compared, and one key is read that there is and one that there is not."""

    async def run() -> None:
        state = await open_state("sqlite://:memory:")
        await state.keys.add_tenant(Tenant("acme", (), 0.0))
        key_id, secret, full = mint()
        await state.keys.add_key(key(key_id, secret))
        recent, work = RecentKeys(state.keys, lambda: 0.0), []
        await authenticate(bearer(full), state.keys, NOW, recent)  # remembered from here on
        for wrong in (f"tg_{key_id}_{other(secret, 63)}", f"tg_{key_id}_{mint()[1]}", f"tg_{mint()[0]}_{secret}"):
            before = len(ran)
            with pytest.raises(Unauthenticated):
                await authenticate(bearer(wrong), state.keys, NOW, recent)
            work.append(sorted(step for step in ran[before:] if step in STEPS))
        await state.close()
        assert work[0] == work[1] == work[2]
        assert set(work[0]) == STEPS

    with calls() as ran:
        asyncio.run(run())


def test_the_access_log_names_the_key_by_its_id_and_its_tenant(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    listened(caplog)
    tenant = gateway.tenant()
    made = gateway.admin("POST", "/keys", json={"tenant": tenant}).json()
    answer = gateway.http.get("/v1/models", headers=bearer(made["key"]))

    def logged() -> list[dict[str, Any]]:
        return [line for line in lines(caplog) if line["request_id"] == answer.headers["x-request-id"]]

    waited(lambda: bool(logged()))
    assert (logged()[0]["key"], logged()[0]["tenant"]) == (made["id"], tenant)
    assert made["key"] not in caplog.text


def test_the_admin_key() -> None:
    assert is_admin(bearer("s3cret"), "s3cret")
    assert is_admin({"x-api-key": "s3cret"}, "s3cret")
    for headers in ({}, bearer(""), bearer("s3cre"), bearer("s3cret ."), {"authorization": "s3cret"}):
        assert not is_admin(headers, "s3cret")


def test_without_an_admin_key_nobody_is_admin() -> None:
    for configured in (None, ""):
        assert not is_admin(bearer(""), configured)
        assert not is_admin({}, configured)


@pytest.mark.parametrize("path", ["/v1/models", "/admin/tenants"])
@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_whatever_bytes_a_header_has_the_answer_is_no_failure(gateway: Gateway, path: str, header: str) -> None:
    chance = random.Random(f"{path}{header}")
    begin = b"Bearer " if header == "authorization" else b""
    values = [bytes([byte]) for byte in range(256)]
    values += [f"tg_{mint()[0]}_".encode() + chance.randbytes(64) for _ in range(100)]
    for value in values:
        with gateway.connect() as raw:
            request = b"GET %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%s: %s%s\r\n\r\n"
            raw.sendall(request % (path.encode(), header.encode(), begin, value))
            status = raw.recv(65_536).split(b" ", 2)[1]
        assert status in (b"400", b"401"), (value, status)

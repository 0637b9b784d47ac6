"""Who is asking: a key in the headers against its digest in the store.

A key reads `tg_<id>_<secret>`: it is found by its public id, and the SHA-256 of its secret is compared in constant
time. A fast digest is right for secrets of 256 random bits (nothing to guess), and a slow one would be a way to flood
the gateway. An unknown id does the same work, and every failure gives one and the same message.

Knows no route. Invariant: a secret is never kept, logged or put into an error.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from gateway.errors import Unauthenticated
from gateway.exchange import Caller
from gateway.state import Key, Keys, Tenant
from gateway.state.recent import RecentKeys

PREFIX = "tg"
NOBODY = hashlib.sha256(b"").digest()  # no minted secret is empty, so this matches none
REFUSED = "No valid key was sent. Send `Authorization: Bearer tg_...` with a key that is neither revoked nor expired."


def mint() -> tuple[str, str, str]:
    """A new key as (id, secret, full key); the secret has 256 bits. Only the id and `digest(secret)` are to be kept."""
    key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    return key_id, secret, f"{PREFIX}_{key_id}_{secret}"


def digest(secret: str) -> bytes:
    """The SHA-256 of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


async def authenticate(headers: Mapping[str, str], keys: Keys | RecentKeys, now: float) -> Caller:
    """The caller whose key the headers carry. Raises Unauthenticated, or StateUnavailable from the store."""
    prefix, _, rest = _token(headers).partition("_")
    key_id, _, secret = rest.partition("_")
    found = await keys.find(key_id) if prefix == PREFIX else None
    good = hmac.compare_digest(found[0].digest if found else NOBODY, digest(secret))
    if not found or not good or not _alive(found[0], now):
        raise Unauthenticated(REFUSED)
    return _caller(*found)


def is_admin(headers: Mapping[str, str], admin_key: str | None) -> bool:
    """Whether the headers carry the admin key. Without one configured nobody is admin."""
    same = hmac.compare_digest(digest(_token(headers)), digest(admin_key or ""))
    return same and bool(admin_key)


async def caller(request: Request) -> Caller:
    """The dependency of every route for tenants."""
    runtime = request.app.state.runtime
    who = await authenticate(request.headers, runtime.recent_keys, time.time())
    request.state.key, request.state.tenant = who.key, who.tenant
    return who


async def admin(request: Request) -> None:
    """The dependency of every admin route."""
    if not is_admin(request.headers, request.app.state.runtime.admin_key):
        raise Unauthenticated("This needs the admin key: send the value of TOLLGATE_ADMIN_KEY as a bearer token.")


Authenticated = Annotated[Caller, Depends(caller)]


def _token(headers: Mapping[str, str]) -> str:
    """What the headers carry: a bearer token (RFC 6750 section 2.1), else Anthropic's `x-api-key`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _alive(key: Key, now: float) -> bool:
    return (key.revoked is None or key.revoked > now) and (key.expires is None or key.expires > now)


def _caller(key: Key, tenant: Tenant) -> Caller:
    return Caller(key.id, tenant.name, tenant.limits, key.limits)

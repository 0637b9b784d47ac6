"""Who is asking: a key in the headers against its digest in the store.

A key (`gateway.keyring`) is found by its public id, and the SHA-256 of its secret is compared in constant time. A slow
digest would guard nothing, for 256 random bits cannot be guessed, and would be a way to flood the gateway.

Knows no route. Invariants: a secret is never kept, logged or put into an error; every failure gives one and the same
message; every refused key of the right form has cost the same comparisons, and the reading of one key that there is and
of one that there is not, so that neither words nor work tell which ids there are. What is not of that form reaches no
store.
"""

import hmac
import re
from collections.abc import Mapping
from typing import Annotated, NoReturn

from fastapi import Depends, Request

from gateway.errors import Unauthenticated, WrongMethod
from gateway.exchange import Caller
from gateway.keyring import ID_BYTES, PREFIX, SECRET_BYTES, alive, digest
from gateway.state import Key, Keys, Tenant
from gateway.state.recent import RecentKeys

FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")
NO_ID, NOBODY = "", digest("")  # no id and no secret of that form is empty, so these match none
# Begins as OpenAI's: LiteLLM tells this failure from others by the words.
REFUSED = (
    "Incorrect API key provided, or none: send `Authorization: Bearer tg_...` with a key that is neither revoked nor "
    "expired."
)


async def authenticate(headers: Mapping[str, str], keys: Keys, now: float, recent: RecentKeys | None = None) -> Caller:
    """The caller whose key the headers carry. Raises Unauthenticated, or StateUnavailable from the store.

    A good key that `recent` remembers needs no read of the store; a bad one never saves it.
    """
    form = FORM.fullmatch(_token(headers))
    if not form:
        raise Unauthenticated(REFUSED)
    key_id, given = form[1], digest(form[2])
    kept = recent.kept(key_id) if recent else None
    if who := _admitted(kept, given, now):
        return who
    found = await (recent if recent and not kept else keys).find(key_id)
    if who := _admitted(found, given, now):
        return who
    if recent:  # reading a key that is there takes longer than finding that there is none (benchmarks/auth.py)
        await keys.find(NO_ID if found else recent.latest)
    raise Unauthenticated(REFUSED)


def is_admin(headers: Mapping[str, str], admin_key: str | None) -> bool:
    """Whether the headers carry the admin key. Without one configured nobody is admin."""
    same = hmac.compare_digest(digest(_token(headers)), digest(admin_key or ""))
    return same and bool(admin_key)


async def caller(request: Request) -> Caller:
    """The dependency of every route for tenants."""
    runtime = request.app.state.runtime
    now = runtime.state.clock.now()
    who = await authenticate(request.headers, runtime.state.keys, now, runtime.recent_keys)
    request.state.key, request.state.tenant = who.key, who.tenant
    return who


async def admin(request: Request) -> None:
    """The dependency of every admin route."""
    if not is_admin(request.headers, request.app.state.runtime.admin_key):
        raise Unauthenticated("This needs the admin key: send the value of TOLLGATE_ADMIN_KEY as a bearer token.")


async def somebody(request: Request) -> None:
    """The dependency of what any key may see, a tenant's or the admin's."""
    if not is_admin(request.headers, request.app.state.runtime.admin_key):
        await caller(request)


async def refuse_method(request: Request, allow: str) -> NoReturn:
    """Raises WrongMethod, or Unauthenticated: without a key nobody learns which methods there are."""
    await somebody(request)
    raise WrongMethod(f"This path does not take {request.method[:16]}; it takes {allow}.", allow=allow)


Authenticated = Annotated[Caller, Depends(caller)]


def _token(headers: Mapping[str, str]) -> str:
    """What the headers carry: a bearer token (RFC 6750 section 2.1), else Anthropic's `x-api-key`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _admitted(found: tuple[Key, Tenant] | None, given: bytes, now: float) -> Caller | None:
    """Whom a secret of this digest stands for now; where no key was found the same comparison fails."""
    same = hmac.compare_digest(found[0].digest if found else NOBODY, given)
    if not (found and same and alive(found[0], now)):
        return None
    key, tenant = found
    return Caller(key.id, tenant.name, tenant.limits, key.limits, tenant.zone, key.scopes)

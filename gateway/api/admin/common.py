"""What every admin route uses: the state, a strict body, the tenant a request names, limits. Knows no route."""

from typing import Annotated

from fastapi import Request
from pydantic import AfterValidator, Field

from gateway.api.body import M, checked, parse
from gateway.errors import NotFound
from gateway.runtime import Runtime
from gateway.state import Limit, State, Tenant
from gateway.state.limits import parse_limit

BY = "admin"  # who made a change, in the audit
MOST_LIMITS = 32  # three units by four windows are twelve; more is a mistake


def _limits(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        parse_limit(text)
    return texts


# JSON's lists of texts; pydantic names the field of whatever `parse_limit` refuses.
Limits = Annotated[tuple[str, ...], Field(max_length=MOST_LIMITS, strict=False), AfterValidator(_limits)]


def limits_of(texts: tuple[str, ...]) -> tuple[Limit, ...]:
    """The limits of a checked body."""
    return tuple(map(parse_limit, texts))


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def state_of(request: Request) -> State:
    return runtime_of(request).state


async def body_of(request: Request, shape: type[M]) -> M:
    """The body as a `shape`; none is an empty object. Raises InvalidValue."""
    return checked(shape, parse(await request.body() or b"{}", runtime_of(request).settings.server.max_depth))


async def tenant_of(request: Request, name: str) -> Tenant:
    """Raises NotFound."""
    tenant = await state_of(request).keys.tenant(name)
    if tenant is None:
        raise NotFound("There is no tenant of this name; create it first.", param="tenant", code="tenant_not_found")
    return tenant

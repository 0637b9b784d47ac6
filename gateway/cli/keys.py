"""`tollgate keys`: a tenant's keys. A key is shown once, when it is made; only its digest is kept."""

import time
from typing import Annotated, Any

import typer

from gateway.api.auth import digest, mint
from gateway.cli.common import (
    SETTINGS,
    Config,
    Failure,
    Json,
    Limits,
    StateDir,
    limits_of,
    settings_of,
    show,
    when,
    with_state,
)
from gateway.cli.tenants import tenant_of
from gateway.state import Key, Limit, State
from gateway.state.limits import format_limit

app = typer.Typer(name="keys", help="A tenant's keys; each is shown once.", no_args_is_help=True)
TenantName = Annotated[str, typer.Option("--tenant", help="The tenant's name.")]
KeyId = Annotated[str, typer.Argument(help="The key's id: the part between tg_ and the next underscore.")]


@app.command()
def create(
    tenant: TenantName, limit: Limits = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False
) -> None:
    """Make a key; its limits bind it beside the tenant's."""
    limits = limits_of(limit)
    show([with_state(settings_of(config, state), lambda opened: add_key(opened, tenant, limits))], as_json)


@app.command("list")
def list_(tenant: TenantName, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """A tenant's keys, oldest first."""

    async def keys(opened: State) -> list[Key]:
        await tenant_of(opened, tenant)
        return await opened.keys.keys(tenant)

    show([_row(key) for key in with_state(settings_of(config, state), keys)], as_json)


@app.command()
def revoke(key_id: KeyId, config: Config = SETTINGS, state: StateDir = None) -> None:
    """End a key: it is refused from now on."""
    if not with_state(settings_of(config, state), lambda opened: opened.keys.revoke(key_id, time.time())):
        raise Failure(_unknown(key_id))


@app.command()
def rotate(key_id: KeyId, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """Make a key of the same tenant and limits, then revoke the old one."""

    async def rotated(opened: State) -> dict[str, Any]:
        found = await opened.keys.find(key_id)
        if found is None:
            raise Failure(_unknown(key_id))
        if found[0].revoked:
            raise Failure(f"the key {key_id!r} is revoked; make a new one with `tollgate keys create`")
        made = await add_key(opened, found[0].tenant, found[0].limits)
        await opened.keys.revoke(key_id, time.time())
        return made

    show([with_state(settings_of(config, state), rotated)], as_json)


async def add_key(state: State, tenant: str, limits: tuple[Limit, ...]) -> dict[str, Any]:
    """A new key: its id, tenant and, this once, the key itself. Raises Failure when there is no such tenant."""
    await tenant_of(state, tenant)
    key_id, secret, key = mint()
    await state.keys.add_key(Key(key_id, tenant, digest(secret), limits, time.time()))
    return {"id": key_id, "tenant": tenant, "key": key}


def _unknown(key_id: str) -> str:
    return f"there is no key with the id {key_id[:16]!r}; `tollgate keys list --tenant NAME` prints the ids"


def _row(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "limits": [format_limit(limit) for limit in key.limits],
        "created": when(key.created),
        "expires": when(key.expires),
        "revoked": when(key.revoked),
    }

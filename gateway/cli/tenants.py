"""`tollgate tenants`: who pays, and what they may spend."""

from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from gateway.cli.common import (
    SETTINGS,
    Config,
    Failure,
    Json,
    Limits,
    StateDir,
    by,
    limits_of,
    settings_of,
    show,
    tenant_of,
    usable,
    when,
    with_state,
)
from gateway.settings import Name as ValidName
from gateway.state import State, Tenant, known_zone
from gateway.state.limits import format_limit
from gateway.usage import standing

app = typer.Typer(name="tenants", help="Tenants and their limits.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The tenant's name.")]
Zone = Annotated[str, typer.Option(help="Where its days and months begin, such as Europe/Berlin; it never changes.")]
NoLimit = Annotated[bool, typer.Option("--none", help="Remove all limits.")]


@app.command()
def create(
    name: Name,
    limit: Limits = None,
    zone: Zone = "UTC",
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Add a tenant; its limits bind all of its keys together."""
    valid, limits = _valid(name), limits_of(limit)
    usable("--zone", known_zone, zone)

    async def added(opened: State) -> Tenant:
        tenant = Tenant(valid, limits, opened.clock.now(), zone)
        if not await opened.keys.add_tenant(tenant, by()):
            raise Failure(f"there is a tenant {name!r} already; `tollgate tenants show {name}` prints it")
        return tenant

    show([_row(with_state(settings_of(config, state), added))], as_json)


@app.command()
def limits(
    name: Name,
    limit: Limits = None,
    none: NoLimit = False,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Replace a tenant's limits; what was spent stays counted."""
    if bool(limit) == none:
        raise typer.BadParameter("give every limit that shall hold from now on, or --none", param_hint="--limit")
    replaced = limits_of(limit)

    async def changed(opened: State) -> Tenant:
        await opened.keys.set_limits(name, replaced, by())
        return await tenant_of(opened, name)

    show([_row(with_state(settings_of(config, state), changed))], as_json)


@app.command("list")
def list_(config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """All tenants."""
    tenants = with_state(settings_of(config, state), lambda opened: opened.keys.tenants())
    show([_row(tenant) for tenant in tenants], as_json)


@app.command("show")
def show_(name: Name, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """Where each limit of a tenant stands now; times are in its zone."""

    async def standings(opened: State) -> list[dict[str, Any]]:
        tenant = await tenant_of(opened, name)
        now = opened.clock.now()
        balances = await opened.budgets.balances(name, "", tenant.limits, (), now, tenant.zone)
        return [standing(balance, tenant.zone) for balance in balances]

    show(with_state(settings_of(config, state), standings), as_json)


def _valid(name: str) -> str:
    try:
        return str(TypeAdapter(ValidName).validate_python(name))
    except ValidationError as error:
        raise typer.BadParameter("a name has letters, digits and . _ / -, 128 at most", param_hint="NAME") from error


def _row(tenant: Tenant) -> dict[str, Any]:
    limits = [format_limit(limit) for limit in tenant.limits]
    return {"tenant": tenant.name, "limits": limits, "zone": tenant.zone, "created": when(tenant.created)}

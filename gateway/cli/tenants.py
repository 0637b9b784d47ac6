"""`tollgate tenants`: who pays, and what they may spend."""

import time
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
    limits_of,
    settings_of,
    show,
    when,
    with_state,
)
from gateway.settings import Name as ValidName
from gateway.state import Balance, State, Tenant
from gateway.state.limits import format_limit

app = typer.Typer(name="tenants", help="Tenants and their limits.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The tenant's name.")]


@app.command()
def create(
    name: Name, limit: Limits = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False
) -> None:
    """Add a tenant; its limits bind all of its keys together."""
    tenant = Tenant(_valid(name), limits_of(limit), time.time())
    if not with_state(settings_of(config, state), lambda opened: opened.keys.add_tenant(tenant)):
        raise Failure(f"there is a tenant {name!r} already; `tollgate tenants show {name}` prints it")
    show([_row(tenant)], as_json)


@app.command("list")
def list_(config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """All tenants."""
    tenants = with_state(settings_of(config, state), lambda opened: opened.keys.tenants())
    show([_row(tenant) for tenant in tenants], as_json)


@app.command("show")
def show_(name: Name, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """Where each limit of a tenant stands now."""

    async def balances(opened: State) -> list[Balance]:
        tenant = await tenant_of(opened, name)
        return await opened.budgets.balances(name, "", tenant.limits, (), time.time())

    show([_balance(b) for b in with_state(settings_of(config, state), balances)], as_json)


async def tenant_of(state: State, name: str) -> Tenant:
    """The tenant of that name. Raises Failure."""
    tenant = await state.keys.tenant(name)
    if tenant is None:
        raise Failure(f"there is no tenant {name!r}; `tollgate tenants list` prints those there are")
    return tenant


def _valid(name: str) -> str:
    try:
        return str(TypeAdapter(ValidName).validate_python(name))
    except ValidationError as error:
        raise typer.BadParameter("a name has letters, digits and . _ / -, 128 at most", param_hint="NAME") from error


def _row(tenant: Tenant) -> dict[str, Any]:
    limits = [format_limit(limit) for limit in tenant.limits]
    return {"tenant": tenant.name, "limits": limits, "created": when(tenant.created)}


def _balance(balance: Balance) -> dict[str, Any]:
    return {
        "limit": format_limit(balance.limit),
        "used": balance.used,
        "held": balance.held,
        "remaining": balance.remaining,
        "resets": when(balance.resets) if balance.resets else None,
    }

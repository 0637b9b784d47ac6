"""`tollgate usage`: what was spent, from the journal."""

from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show, tenant_of, usable, with_state
from gateway.state import State, known_zone
from gateway.usage import Period, day_of, groups, period, spent, to_csv

Tenant = Annotated[str | None, typer.Option(help="One tenant; default: all.")]
Since = Annotated[str | None, typer.Option(metavar="DAY", help="First day; default: 30 days until the last.")]
Until = Annotated[str | None, typer.Option(metavar="DAY", help="Last day, included; default: today.")]
By = Annotated[
    str, typer.Option(help="day, tenant, key, model, prompt, prompt_version, fingerprint, tag, tag:NAME; with commas.")
]
Zone = Annotated[str | None, typer.Option(help="Whose days; default: the tenant's, UTC over all tenants.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV on standard output.")]


def usage(
    tenant: Tenant = None,
    since: Since = None,
    until: Until = None,
    by: By = "day",
    zone: Zone = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """What was spent: requests, tokens and dollars, summed by day, model, prompt and more."""
    by_groups = groups(by)

    async def rows(opened: State) -> list[dict[str, Any]]:
        over = await days(opened, tenant, since, until, zone)
        try:
            return await spent(opened.journal, by_groups, over, tenant)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--by") from error

    found = with_state(settings_of(config, state), rows)
    if as_csv:
        typer.echo(to_csv(by_groups, found), nl=False)
    else:
        show(found, as_json)


async def days(opened: State, tenant: str | None, since: str | None, until: str | None, zone: str | None) -> Period:
    """The days that the options name. Raises typer.BadParameter; Failure for an unknown tenant."""
    first = usable("--since", day_of, since) if since is not None else None
    last = usable("--until", day_of, until) if until is not None else None
    own = (await tenant_of(opened, tenant)).zone if tenant is not None else "UTC"
    place = usable("--zone", known_zone, zone or own).key
    return usable("--since", lambda start: period(start, last, place, opened.clock.now()), first)

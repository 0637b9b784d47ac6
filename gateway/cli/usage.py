"""`tollgate usage`: what was spent, from the journal."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show, with_state
from gateway.prices import usd

DAY_S = 86400

Tenant = Annotated[str | None, typer.Option(help="One tenant; default: all.")]
Since = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC); default: 30 days ago.")]
Until = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day (UTC), included; default: today.")]
By = Annotated[str, typer.Option(help="day, tenant, key, model, prompt, prompt_version; several with commas.")]


def usage(
    tenant: Tenant = None,
    since: Since = None,
    until: Until = None,
    by: By = "day",
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """What was spent: requests, tokens and dollars, summed by day, model, prompt and more."""
    now = time.time()
    start = _seconds(since) if since else now - 30 * DAY_S
    end = _seconds(until) + DAY_S if until else now + 1
    groups = [group.strip() for group in by.split(",") if group.strip()]
    try:
        rows = with_state(settings_of(config, state), lambda opened: opened.journal.usage(groups, start, end, tenant))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--by") from error
    show([_row(row) for row in rows], as_json)


def _seconds(day: datetime) -> float:
    return day.replace(tzinfo=UTC).timestamp()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "cost_nano"} | {"cost_usd": usd(row["cost_nano"])}

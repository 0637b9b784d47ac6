"""`tollgate cache stats`: what is kept, what it has saved, and how right the similar answers were."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show, with_state
from gateway.prices import Prices
from gateway.savings import observed, savings
from gateway.state import State

Newest = Annotated[int, typer.Option(min=1, help="Requests that are looked at, the newest ones.")]


def stats(newest: Newest = 10_000, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """How many answers are kept, what they have saved, and how often a similar one was wrong (95% limits)."""
    settings = settings_of(config, state)

    async def read(opened: State) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        saved = asdict(await savings(opened.journal, Prices(settings.prices), newest))
        return {"entries": await opened.answers.count()} | saved, await observed(opened.feedback)

    saved, pools = with_state(settings, read)
    if as_json:
        show([saved | {"pools": pools}], as_json)
        return
    show([saved], as_json)
    if pools:
        typer.echo("")
        show(pools, as_json)

"""`tollgate cache stats`: what is kept, what it has saved, how right similar answers were, what judging them took."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show, with_state
from gateway.prices import Prices
from gateway.savings import judged, observed, savings
from gateway.state import State

Newest = Annotated[int, typer.Option(min=1, help="Requests that are looked at, the newest ones.")]


def stats(newest: Newest = 10_000, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """How many answers are kept, what they saved, how often a similar one was wrong, and what the judge used."""
    settings = settings_of(config, state)

    async def read(opened: State) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any] | None]:
        saved = asdict(await savings(opened.journal, Prices(settings.prices), newest))
        kept = {"entries": await opened.answers.count()} | saved
        return kept, await observed(opened.feedback), await judged(opened.journal)

    saved, pools, judge = with_state(settings, read)
    if as_json:
        show([saved | {"pools": pools, "judge": judge}], as_json)
        return
    for table in ([saved], pools, [judge] if judge else []):
        if table:
            show(table, as_json)
            typer.echo("")

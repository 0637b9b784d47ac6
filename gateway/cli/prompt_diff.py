"""`tollgate prompts diff ID V3 V4`: what changes between two versions: text, tokens and price of each case, scores."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import typer

from gateway import templates
from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show
from gateway.cli.trying import Key, Model, Url, asked, failures
from gateway.prices import Prices
from gateway.settings import Settings
from gateway.workbench.asking import Asking, Desk, alias_of
from gateway.workbench.comparing import overall, row, scores, texts, weights
from gateway.workbench.expecting import Expecting
from gateway.workbench.suite import Suite, suite
from gateway.workbench.trying import Tried, tried
from prompts.template import Template
from retrieval.embed import Embedder

Id = Annotated[str, typer.Argument(help="The template's id, such as support/answer.")]
Old = Annotated[str, typer.Argument(help="Tag, commit or digest.")]
New = Annotated[str | None, typer.Argument(help="The same; default: the latest.")]
Times = Annotated[
    int | None, typer.Option(min=0, max=1000, help="Answers per case and version, for scores; default: none.")
]
Gate = Annotated[bool, typer.Option("--gate", help="Exit 1 when the new version's score is significantly worse.")]


def diff(
    id: Id,
    old: Old,
    new: New = None,
    model: Model = None,
    times: Times = None,
    gate: Gate = False,
    url: Url = None,
    key: Key = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Compare two versions of a template: text, tokens and price per case (the new version's cases), and with --times
    their scores."""
    if (gate or url) and not times:
        raise typer.BadParameter("needs answers: say --times", param_hint="--gate" if gate else "--url")
    settings = settings_of(config, state)
    with failures():
        library = templates.library(settings)
        base, now = library.get(id, old), suite(library, id, new)
        lines = texts(library, id, old, new)
        rows, score = asyncio.run(_compared(settings, base, now, model, times, url, key))
    _tell(id, lines, rows, score, as_json)
    if gate and score and score["change"] == "worse":
        raise typer.Exit(1)


def _tell(
    id: str, lines: Sequence[str], rows: Sequence[dict[str, Any]], score: dict[str, Any] | None, as_json: bool
) -> None:
    if as_json:
        found = {"prompt": id, "diff": list(lines), "cases": list(rows), "score": score}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo("\n".join(lines) or "the texts are the same")
    typer.echo("")
    show(rows, as_json=False)
    if score:
        old, new = (
            f"{s['met']} of {s['times']} ({s['low']:.2f} to {s['high']:.2f})" for s in (score["old"], score["new"])
        )
        typer.echo(f"\nanswers as expected: {old}, then {new}: {score['change']} (at {score['level']:.0%})")


async def _compared(
    settings: Settings,
    old: Template,
    new: Suite,
    model: str | None,
    times: int | None,
    url: str | None,
    key: str | None,
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """A row for each case, and the score of all. Raises Unanswered."""
    sides = (old, new.template)
    aliases = [alias_of(settings, model, side.front.model) for side in sides]
    prices = Prices(settings.prices)
    async with Desk(settings) as desk:
        before, now = [
            await weights(desk, prices, side, new.cases, alias) for side, alias in zip(sides, aliases, strict=True)
        ]
    rows = [row(*of) for of in zip(new.cases, before, now, strict=True)]
    if not times:
        return rows, None
    async with asked(settings, url, key) as asking:
        with closing(Embedder()) as embedder:
            one, other = [
                await _tried(Suite(side, new.cases), alias, asking, embedder, times)
                for side, alias in zip(sides, aliases, strict=True)
            ]
    scored = [{**line, **scores(*pair)} for line, *pair in zip(rows, one, other, strict=True)]
    return scored, overall(one, other)


async def _tried(side: Suite, alias: str, asking: Asking, embedder: Embedder, times: int) -> list[Tried]:
    expecting = Expecting(embedder, asking, alias, side.template.front.output_schema)
    return await tried(side, alias, asking, expecting, times)

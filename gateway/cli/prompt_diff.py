"""`tollgate prompts diff ID V3 V4`: what changes between two versions: text, tokens and price of each case, scores."""

import asyncio
import difflib
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gateway import templates
from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show
from gateway.prices import Prices, usd
from gateway.settings import Settings, SettingsError
from gateway.workbench.asking import Desk
from gateway.workbench.cases import Case, CasesError, beside, read
from gateway.workbench.expecting import Expecting
from gateway.workbench.trying import fields_of, model_of, rendered, tried
from prompts.errors import PromptError
from prompts.files import TEMPLATES
from prompts.template import Template
from retrieval.embed import Embedder, EmbedderUnavailable
from serving.errors import BackendError
from serving.events import Usage

Id = Annotated[str, typer.Argument(help="The template's id, such as support/answer.")]
Old = Annotated[str, typer.Argument(help="Tag, commit or digest.")]
New = Annotated[str | None, typer.Argument(help="The same; default: the latest.")]
Model = Annotated[str | None, typer.Option(help="An alias; default: the template's own.")]
Times = Annotated[int, typer.Option(min=0, max=1000, help="Answers per case and version, for scores; 0: none.")]

Versions = tuple[Template, Template]


def diff(
    id: Id,
    old: Old,
    new: New = None,
    model: Model = None,
    times: Times = 0,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Compare two versions of a template: text, tokens and price per case, and with --times their scores."""
    settings = settings_of(config, state)
    try:
        library = templates.library(settings)
        versions = library.get(id, old), library.get(id, new)
        cases = read(beside(settings.build.prompts / TEMPLATES, id))
        rows = asyncio.run(_rows(settings, versions, cases, model, times))
    except (PromptError, SettingsError, CasesError) as error:
        raise Failure(str(error)) from error
    except (BackendError, EmbedderUnavailable) as error:
        raise Failure(f"the versions cannot be compared: {error}") from error
    lines = list(_text(versions))
    if as_json:
        typer.echo(json.dumps({"prompt": id, "diff": lines, "cases": rows}, ensure_ascii=False))
        return
    typer.echo("\n".join(lines) or "the texts are the same")
    typer.echo("")
    show(rows, as_json=False)


def _text(versions: Versions) -> Sequence[str]:
    """A unified diff of the two files, without line ends."""
    before, after = (version.source.splitlines() for version in versions)
    old, new = (f"{version.id}@{version.version}" for version in versions)
    return list(difflib.unified_diff(before, after, old, new, lineterm=""))


async def _rows(
    settings: Settings, versions: Versions, cases: Sequence[Case], model: str | None, times: int
) -> list[dict[str, Any]]:
    embedder = Embedder()
    try:
        async with Desk(settings) as desk:
            return [await _row(settings, desk, embedder, versions, case, model, times) for case in cases]
    finally:
        embedder.close()


async def _row(
    settings: Settings,
    desk: Desk,
    embedder: Embedder,
    versions: Versions,
    case: Case,
    model: str | None,
    times: int,
) -> dict[str, Any]:
    """One case: the old version's figures, the new one's, and the difference of their tokens."""
    row: dict[str, Any] = {"case": case.name}
    prices = Prices(settings.prices)
    for side, version in zip(("old", "new"), versions, strict=True):
        alias = model_of(version, settings, model)
        tokens = await desk.tokens(alias, _messages(version, case))
        cost = None if tokens is None else usd(prices.cost(alias, Usage(tokens)))
        row |= {f"{side}_tokens": tokens, f"{side}_cost_usd": cost}
        if times:
            expecting = Expecting(embedder, desk, alias, version.front.output_schema)
            found = await tried(version, case, alias, fields_of(version), desk, expecting, times)
            row |= {f"{side}_met": f"{found.met}/{found.times}", f"{side}_passed": found.passed}
    both = row["old_tokens"] is not None and row["new_tokens"] is not None
    return row | {"tokens_more": row["new_tokens"] - row["old_tokens"] if both else None}


def _messages(version: Template, case: Case) -> list[dict[str, Any]] | None:
    """None where this version cannot take the case: its variables may be others."""
    try:
        return rendered(version, case)
    except PromptError:
        return None
